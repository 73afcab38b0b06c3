"""experiments/comparison on a shrunk profile: seeds of either side, compared over seeds and test rows of a data set."""

import json
from pathlib import Path

import numpy as np
import pytest
from repository import Repository
from ruamel.yaml import YAML

from notes.files import read_rows

pytestmark = pytest.mark.slow

SEEDS = (1, 2)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, raw_mnist: Path) -> Repository:
    """A clone in which small networks and small MLPClassifiers were trained on MNIST and compared."""
    clone = Repository.clone_of_project(tmp_path_factory.mktemp("comparison") / "clone")
    shrink(clone.root / "experiments" / "comparison", raw_mnist)
    clone.commit("shrink")
    site = str(clone.root.parent / "comparison-site")
    project = Repository(clone.root / "experiments" / "comparison")
    project.provenn("repro", "--jobs", "2", DVC_SITE_CACHE_DIR=site)
    clone.commit("results")
    return clone


def shrink(comparison: Path, raw_mnist: Path) -> None:
    yaml = YAML()
    params, pipeline = (yaml.load((comparison / name).read_text()) for name in ("params.yaml", "dvc.yaml"))
    params["download_mnist"]["directory"] = str(raw_mnist)
    params["prepare_mnist"]["validation_size"] = 50000
    for section in ("train_mlp", "train_baseline"):
        for model in params[section].values():
            model |= {"hidden_sizes": [16], "epochs": 1, "batch_size": 5000}
    for stage in pipeline["stages"].values():
        for name, values in {"dataset": ["mnist"], "seed": list(SEEDS)}.items():
            if name in stage.get("matrix", {}):
                stage["matrix"][name] = values
    for name, content in (("params.yaml", params), ("dvc.yaml", pipeline)):
        with (comparison / name).open("w") as file:
            yaml.dump(content, file)


def folder(clone: Repository) -> Path:
    return clone.root / "experiments/comparison/mnist/results/compare_seeds"


def test_every_pair_is_compared_over_the_seeds_of_both_sides(clone: Repository) -> None:
    found, seeds = json.loads((folder(clone) / "metrics.json").read_text()), read_rows(folder(clone) / "seeds.csv")
    assert found.pop("dataset") == "MNIST"
    assert set(found) == {"mnist_mlp_plain", "mnist_mlp"}
    accuracy = {
        name: np.mean([float(row["test/accuracy"]) for row in seeds if row["model"] == name])
        for name in (*found, "mnist_mlp_classifier")
    }
    assert len(seeds) == len(SEEDS) * len(accuracy)
    for name, pair in found.items():
        assert (pair["seeds"], pair["counterpart_seeds"], pair["rows"]) == (2, 2, 10_000)
        assert pair["difference"] == pytest.approx(accuracy[name] - accuracy["mnist_mlp_classifier"])
        assert pair["difference_low"] < pair["difference"] < pair["difference_high"]


def test_the_main_pipeline_does_not_see_the_comparison_and_git_gets_its_numbers(clone: Repository) -> None:
    assert "compare_seeds" not in clone.dvc("stage", "list")
    assert not (clone.root / "dvc.lock").exists()
    tracked = clone.run("git", "ls-files", "experiments/comparison").stdout
    assert "experiments/comparison/mnist/results/compare_seeds/metrics.json" in tracked
    assert "safetensors" not in tracked
    assert clone.run("git", "status", "--porcelain").stdout == ""
