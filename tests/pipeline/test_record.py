"""experiments/record on a shrunk profile: a DVC project within the project, whose seeds stand below their mean."""

import json
from pathlib import Path

import numpy as np
import pytest
from repository import Repository
from ruamel.yaml import YAML
from scipy import stats

pytestmark = pytest.mark.slow

NETWORK = "mnist_augmented"
SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, raw_mnist: Path) -> Repository:
    """A clone in which one small network of the record was trained with three seeds and judged."""
    clone = Repository.clone_of_project(tmp_path_factory.mktemp("record") / "clone")
    shrink(clone.root / "experiments" / "record", raw_mnist)
    clone.commit("shrink")
    provenn(clone, "repro", "--jobs", "2")
    clone.commit("results")
    return clone


def shrink(record: Path, raw_mnist: Path) -> None:
    yaml = YAML()
    params, pipeline = (yaml.load((record / name).read_text()) for name in ("params.yaml", "dvc.yaml"))
    params["download_mnist"]["directory"] = str(raw_mnist)
    params["prepare_mnist"]["validation_size"] = 50000
    params["train_mlp"] = {NETWORK: params["train_mlp"][NETWORK]}
    params["train_mlp"][NETWORK] |= {"hidden_sizes": [16], "epochs": 1, "batch_size": 5000, "precision": "float32"}
    pipeline["stages"]["train_mlp"]["matrix"] = {"network": [NETWORK], "seed": list(SEEDS)}
    evaluation = pipeline["stages"]["evaluate_seeds"]
    evaluation["matrix"] = {"network": [NETWORK]}
    evaluation["deps"] = [dep for dep in evaluation["deps"] if not dep.endswith(("-4.safetensors", "-5.safetensors"))]
    for name, content in (("params.yaml", params), ("dvc.yaml", pipeline)):
        with (record / name).open("w") as file:
            yaml.dump(content, file)


def provenn(clone: Repository, *arguments: str) -> None:
    site = str(clone.root.parent / "record-site")
    finished = Repository(clone.root / "experiments" / "record").provenn(*arguments, DVC_SITE_CACHE_DIR=site)
    assert "behind" not in finished.stdout + finished.stderr


def runs_by_stage(clone: Repository) -> dict:
    return {run.data.tags["dvc.stage"]: run for run in clone.runs()}


def results(clone: Repository, name: str) -> dict[str, float]:
    folder = clone.root / "experiments" / "record" / "results" / "evaluate_seeds" / NETWORK
    return json.loads((folder / name).read_text())


def test_the_mean_has_students_interval_over_the_seeds(clone: Repository) -> None:
    models, summary = results(clone, "models.json"), results(clone, "metrics.json")
    values = [models[f"{NETWORK}-{seed}/test/accuracy"] for seed in SEEDS]
    assert len(set(values)) > 1
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    found = [summary[f"test/accuracy{end}"] for end in ("", "_low", "_high", "_lowest", "_highest")]
    assert found == pytest.approx([np.mean(values), low, high, min(values), max(values)])


def assert_seeds_stand_below_their_mean(clone: Repository) -> None:
    runs = runs_by_stage(clone)
    parent = runs[f"evaluate_seeds@{NETWORK}"]
    assert parent.data.metrics["test/accuracy"] == pytest.approx(results(clone, "metrics.json")["test/accuracy"])
    for seed in SEEDS:
        run = runs[f"train_mlp@{NETWORK}-{seed}"]
        assert run.info.experiment_id == parent.info.experiment_id
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        expected = results(clone, "models.json")[f"{NETWORK}-{seed}/test/accuracy"]
        assert run.data.metrics["test/accuracy"] == pytest.approx(expected)


def test_the_seeds_runs_stand_below_the_one_with_their_mean_in_the_projects_own_store(clone: Repository) -> None:
    assert_seeds_stand_below_their_mean(clone)
    assert not (clone.root / "experiments" / "record" / "mlruns").exists()


def test_sync_brings_the_nested_runs_back_from_the_lock(clone: Repository, tmp_path: Path) -> None:
    elsewhere = clone.copy(tmp_path / "copy")
    (elsewhere.root / "mlruns" / "mlflow.db").unlink()
    provenn(elsewhere, "sync")
    assert_seeds_stand_below_their_mean(elsewhere)


def test_the_main_pipeline_does_not_see_the_record(clone: Repository) -> None:
    assert "evaluate_seeds" not in clone.dvc("stage", "list")
    assert not (clone.root / "dvc.lock").exists()
    assert clone.run("git", "status", "--porcelain").stdout == ""
