"""A tracking server that dies while a stage runs: the result is not affected, and MLflow is brought up later."""

import time

import pytest
from repository import Repository
from servers import Server

pytestmark = pytest.mark.slow

TELLING = """
import pathlib, sys, time
from provenn.record import track

with track() as run:
    for step in range(100):
        run.log({"train/loss": 1 / (step + 1)}, step=step)
        time.sleep(0.1)
pathlib.Path("a.txt").write_text("done\\n")
"""


@pytest.mark.fault(
    "The tracking server dies after a healthy start, while a stage runs",
    "a warning, and no other result; `provenn sync` adds the run once the server is back",
)
def test_a_server_that_dies_while_a_stage_runs_costs_no_result(repository: Repository, tmp_path, monkeypatch):
    repository.write("telling.py", TELLING)
    repository.define({"a": {"cmd": "python telling.py", "deps": ["telling.py"], "outs": ["a.txt"]}})
    server = Server.over(f"sqlite:///{repository.root}/mlruns/mlflow.db", tmp_path / "server")
    try:
        runner = repository.start("provenn", "repro", MLFLOW_TRACKING_URI=server.uri)
        deadline = time.monotonic() + 120
        while not any("train/loss" in run.data.metrics for run in running(repository)):
            assert time.monotonic() < deadline, "the run is live"
            time.sleep(0.2)
        server.kill()
        output, errors = runner.communicate(timeout=300)
        assert runner.returncode == 0, output + errors
        assert f"warning: tracking is behind: {server.uri} did not take the run" in output
        assert (repository.root / "a.txt").read_text() == "done\n"
        assert "up to date" in repository.dvc("status")

        server.start()
        repository.provenn("sync", MLFLOW_TRACKING_URI=server.uri)
        assert "provenn.restored" in repository.run_of("a").data.tags
        assert not running(repository), "the run whose end nobody could write is closed"
    finally:
        server.kill()


def running(repository: Repository):
    """Return the runs that MLflow shows as running."""
    client = repository.client()
    experiments = [found.experiment_id for found in client.search_experiments()]
    return [run for run in client.search_runs(experiments) if run.info.status == "RUNNING"]
