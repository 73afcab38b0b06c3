"""MLflow is a view of dvc.lock: what sync makes of the files equals what the stages logged while they ran."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from pipeline_stages import STAGES, TARGET
from repository import Repository

from provenn.files import UserError
from provenn.lock import read_lock
from provenn.view.records import Told
from provenn.view.run import view
from provenn.view.runs import SUPERSEDED, StoredRuns
from provenn.view.store import connect
from provenn.view.sync import SyncReport, synchronise

pytestmark = pytest.mark.slow
# What says how a run came to be, not what it is: whether it was restored, by which process, from which check-out.
OF_THE_PROCESS = {"provenn.restored", "provenn.process"}
OF_THE_LOCK = {"provenn.current", "champion"}  # which result is checked out, and the best of those
OF_THE_CLONE = {"git.commit", "mlflow.source.git.commit", "numeric.platform"}


def contents(uri: str, *, leave_out: set[str]) -> dict[str, Any]:
    """Return all that a store shows, without ids and times, by stage and key."""
    client, shown = MlflowClient(uri, registry_uri=uri), {}
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            if SUPERSEDED in run.data.tags:
                continue
            models = [client.get_logged_model(output.model_id) for output in run.outputs.model_outputs]
            tags = {name: value for name, value in run.data.tags.items() if name not in leave_out}
            metrics = {name: value for name, value in run.data.metrics.items() if name not in leave_out}
            name = f"{run.data.tags['dvc.stage']} {run.data.tags['dvc.key']}"
            assert name not in shown, f"{name} has two runs"
            shown[name] = {
                "name": run.info.run_name,
                "status": run.info.status,
                "experiment": experiment.name,
                "parameters": run.data.params,
                "metrics": metrics,
                "tags": tags,
                "histories": {metric: history(client, run, metric) for metric in metrics},
                "artifacts": artifacts(client, run.info.run_id),
                "data sets": sorted(
                    (given.dataset.name, given.dataset.digest, given.tags[0].value if given.tags else "")
                    for given in run.inputs.dataset_inputs
                ),
                "models": [(model.name, model.params, str(model.status)) for model in models],
            }
    for model in client.search_registered_models():
        champion = client.get_model_version_by_alias(model.name, "champion")
        versions = client.search_model_versions(f"name = '{model.name}'")
        tags = {name: value for name, value in champion.tags.items() if name not in leave_out}
        shown[model.name] = (model.description, tags, len(versions))
    return shown


def store(repository: Repository) -> str:
    return f"sqlite:///{repository.root}/mlruns/mlflow.db"


def written(report: SyncReport) -> bool:
    made = any(stage.state == "created" for stage in report.stages)
    return made or any((report.killed, report.superseded, report.scored, report.registered, report.nested))


def history(client: MlflowClient, run: Any, metric: str) -> list[tuple[int, float]]:
    return sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, metric))


def artifacts(client: MlflowClient, run_id: str, folder: str | None = None) -> list[str]:
    found: list[str] = []
    for item in client.list_artifacts(run_id, folder):
        found += artifacts(client, run_id, item.path) if item.is_dir else [f"{item.path} {item.file_size}"]
    return sorted(found)


def states(report: Any) -> dict[str, str]:
    return {stage.stage: stage.state for stage in report.stages}


def test_a_store_made_from_the_lock_equals_the_lost_one_in_every_field(
    finished: Repository, linear: Repository
) -> None:
    report = synchronise(linear.root)
    assert states(report) == dict.fromkeys(STAGES, "created")
    assert report.complete
    lost, made = (contents(store(small), leave_out=OF_THE_PROCESS) for small in (finished, linear))
    assert len(lost) == len(STAGES) + 1
    for name in lost:
        assert made[name] == lost[name]
    assert made.keys() == lost.keys()
    assert lost["linear"][2] == 1

    again = synchronise(linear.root)
    assert not written(again)
    assert states(again) == dict.fromkeys(STAGES, "agreed")


def test_the_rebuilt_store_shows_when_the_stages_ran(finished: Repository, linear: Repository) -> None:
    synchronise(linear.root)
    for entry in read_lock(linear.root).values():
        if entry.stage != "check_params":
            there = StoredRuns(connect(finished.root, store(finished))).current(entry)
            here = StoredRuns(connect(linear.root, store(linear))).current(entry)
            assert there.info.start_time == here.info.start_time
            assert there.info.end_time >= here.info.end_time > here.info.start_time


def test_the_restored_champion_predicts(linear: Repository) -> None:
    import mlflow
    import numpy as np

    synchronise(linear.root)
    connect(linear.root)
    model = mlflow.pyfunc.load_model("models:/linear@champion")
    slope = np.ptp(np.ravel(list(model.predict(np.array([[0.0], [1.0]])).values())))
    assert slope == pytest.approx(2.5, abs=0.2)  # the line that generate_synthetic draws


def test_a_fresh_clone_shows_everything_after_a_pull_without_training(
    finished: Repository, linear: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linear.dvc("remote", "add", "--local", "--default", "here", str(tmp_path / "remote"))
    linear.dvc("push", "--quiet")
    linear.git("clone", "--quiet", str(linear.root), str(tmp_path / "clone"))
    clone = Repository(tmp_path / "clone")
    clone.dvc("remote", "add", "--local", "--default", "here", str(tmp_path / "remote"))
    # The other tasks of this test's repository have never run; all of a real one is pulled by `dvc pull` alone.
    clone.dvc("pull", "--quiet", "--with-deps", TARGET)
    monkeypatch.chdir(clone.root)

    assert synchronise(clone.root).complete
    of_the_record = OF_THE_PROCESS | OF_THE_CLONE | {"time/fit_s", "largest_relative_difference"}
    expected = contents(store(finished), leave_out=of_the_record)
    assert contents(store(clone), leave_out=of_the_record) == expected


def test_a_parameter_changed_and_changed_back_leaves_both_states_complete_and_each_once(
    linear: Repository,
) -> None:
    first = contents_after_sync(linear)
    linear.change_params(lower)
    linear.dvc("repro", "evaluate@linear")
    changed_commit = linear.commit("A lower learning rate")
    both = contents_after_sync(linear)
    linear.git("checkout", "HEAD^", "params.yaml")
    restored = linear.dvc("repro", "evaluate@linear")
    assert "is cached" in restored
    linear.commit("Back")

    assert contents_after_sync(linear) == both
    assert first.items() <= both.items()
    assert len(both) == len(first) + 2  # one training, and its evaluation

    # From nothing but git's history and the cache, the same again.
    elsewhere = f"sqlite:///{linear.root}/elsewhere/mlflow.db"
    report = synchronise(linear.root, uri=elsewhere, all_commits=True)
    assert report.complete
    assert without_the_check(contents(elsewhere, leave_out=OF_THE_PROCESS | OF_THE_LOCK)) == both
    assert changed_commit in {stage.commit for stage in report.stages}
    assert not written(synchronise(linear.root, uri=elsewhere, all_commits=True))


def lower(values: Any) -> None:
    values["train_regression"]["linear"]["scratch"]["learning_rate"] = 0.05


def contents_after_sync(linear: Repository) -> dict[str, Any]:
    synchronise(linear.root)
    return without_the_check(contents(store(linear), leave_out=OF_THE_PROCESS | OF_THE_LOCK))


def without_the_check(shown: dict[str, Any]) -> dict[str, Any]:
    """Leave out check_params, which runs anew each time: DVC restores no stage with an output that persists."""
    return {name: stage for name, stage in shown.items() if not name.startswith("check_params")}


def test_a_stage_whose_content_is_nowhere_is_reported_and_the_others_go_on(linear: Repository) -> None:
    model = "models/linear/linear_scratch.safetensors"
    lost = read_lock(linear.root)["train_regression@linear-scratch"].outs[model]
    cached = linear.root / ".dvc" / "cache" / "files" / "md5" / lost[:2] / lost[2:]
    cached.chmod(0o644)
    cached.write_bytes(cached.read_bytes()[:100])  # damaged, which DVC would not notice
    (linear.root / model).unlink()

    linear.dvc("remote", "add", "--local", "storage", str(linear.root.parent / "remote"))
    report = json.loads(linear.provenn("sync", "--json", code=1).stdout)
    (incomplete,) = (stage for stage in report["stages"] if stage["state"] == "partial")
    assert incomplete["stage"] == "train_regression@linear-scratch"
    assert model in incomplete["detail"]
    assert "`dvc pull train_regression@linear-scratch` (from storage)" in incomplete["detail"]
    assert sum(stage["state"] == "created" for stage in report["stages"]) == len(STAGES) - 1


def test_of_two_equal_runs_one_stands_for_the_stage(linear: Repository) -> None:
    synchronise(linear.root)
    entry = read_lock(linear.root)["generate_synthetic"]
    runs = StoredRuns(connect(linear.root))
    first = runs.current(entry)
    second = view(connect(linear.root), linear.root, entry, Told())
    report = synchronise(linear.root)
    assert len(report.superseded) == 1
    assert report.superseded[0] in {first.info.run_id, second}
    assert not written(synchronise(linear.root))


def test_a_store_of_a_newer_mlflow_is_left_alone_and_named(linear: Repository) -> None:
    connect(linear.root)
    with sqlite3.connect(linear.root / "mlruns" / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")
    failed = linear.provenn("sync", code=1)
    assert "made by a newer MLflow (schema fedcba987654)" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_server_that_is_away_is_refused_in_one_sentence(linear: Repository) -> None:
    with pytest.raises(
        UserError, match=r"server http://127.0.0.1:9 cannot be reached \(Connection refused\): start it"
    ):
        synchronise(linear.root, uri="http://127.0.0.1:9")
