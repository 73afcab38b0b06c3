"""`provenn repro` and its one writer: runs below a pipeline's run, servers that are away, processes that are killed."""

import socket
import time
from pathlib import Path

import pytest
from kills import wait_until_gone
from sleeping import Watcher, stage, wait_for_start

from provenn.repro.runner import reproduce

pytestmark = pytest.mark.slow


def test_stages_run_below_one_pipeline_run_with_a_status_of_its_own(sleeping):
    broken = stage("broken")
    broken["cmd"] = "false"
    sleeping.define({"a": stage("a"), "b": stage("b"), "broken": broken})
    sleeping.provenn("repro", code=1)
    client = sleeping.client()
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = client.search_runs(experiments)
    (pipeline,) = (run for run in runs if "provenn.pipeline" in run.data.tags)
    below = {run.data.tags["dvc.stage"]: run for run in runs if run != pipeline}
    assert {run.data.tags["mlflow.parentRunId"] for run in below.values()} == {pipeline.info.run_id}
    assert {name: run.info.status for name, run in below.items()} == {
        "a": "FINISHED",
        "b": "FINISHED",
        "broken": "FAILED",
    }
    assert pipeline.info.status == "FAILED"
    assert pipeline.data.metrics["stages/ran"] == 2
    assert pipeline.data.metrics["stages/failed"] == 1

    sleeping.define({"a": stage("a"), "b": stage("b")})
    assert "2 unchanged" in sleeping.provenn("repro").stdout
    assert len(client.search_runs(experiments)) == len(runs), "where nothing ran there is nothing to show"


def test_a_server_that_is_away_costs_a_warning_and_no_result(sleeping, monkeypatch):
    with socket.socket() as silent:  # takes connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        sleeping.define({"a": stage("a")})
        watcher = Watcher()
        began = time.monotonic()
        report = reproduce(Path.cwd(), (), 2, watcher)
        assert time.monotonic() - began < 60, "MLflow itself would wait for minutes"
    assert report.outcomes == {"a": "ran"}
    assert len([note for note in watcher.notes if "tracking is behind" in note]) == 1
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    sleeping.provenn("sync")
    assert "provenn.restored" in sleeping.run_of("a").data.tags


def test_a_killed_runner_leaves_no_run_running(sleeping):
    sleeping.define({"a": stage("a", 60)})
    runner = sleeping.start("provenn", "repro")
    wait_for_start(sleeping, "a")
    runner.kill()
    runner.communicate()
    wait_until_gone(sleeping)
    assert {run.info.status for run in sleeping.runs()} <= {"KILLED"}
