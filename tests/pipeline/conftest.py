"""Clones of this project in which the real pipeline has run, made once for all tests of this folder."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pipeline_stages import TARGET
from repository import PROJECT, Repository, once

from notes.sources.download import fetch

TARGETS = (
    "draw_evaluation@linear",
    "export_model@linear",
    "train_mlp@moons_mlp",
    "train_mlp@mnist_softmax",
    "train_baseline@moons_random_forest",
)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A clone after `dvc repro` of one task and `provenn sync`. For reading only."""

    def make(folder: Path) -> None:
        clone = Repository.clone_of_project(folder)
        clone.change_params(shrink_linear)
        clone.commit("Parameters for a test")
        clone.dvc("repro", TARGET)
        clone.commit("The results")
        clone.provenn("sync")

    return Repository(once(tmp_path_factory, "finished", make))


@pytest.fixture
def linear(finished: Repository, tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A copy of it with files, cache and records but with an empty store, as the working folder."""
    root = tmp_path / "repository"
    shutil.copytree(finished.root, root, ignore=shutil.ignore_patterns("mlruns"), symlinks=True)
    shutil.copytree(empty_store, root / "mlruns")
    shutil.copy(finished.root / "mlruns" / "README.md", root / "mlruns")
    monkeypatch.chdir(root)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "repository-site"))
    return Repository(root)


@pytest.fixture(scope="session")
def raw_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real MNIST files, from this repository's own download if it has one."""

    def make(folder: Path) -> None:
        fetch("mnist", folder, directory=PROJECT / "data" / "raw", deadline_s=600)

    return once(tmp_path_factory, "raw_mnist", make)


@pytest.fixture(scope="session")
def clones(tmp_path_factory: pytest.TempPathFactory, raw_mnist: Path) -> tuple[Repository, Repository]:
    """Two clones at different paths in which the same shrunk pipeline has run, side by side."""
    folder = tmp_path_factory.mktemp("clones")
    pair = tuple(Repository.clone_of_project(folder / name) for name in ("here", "some where else"))

    def prepare(clone: Repository) -> None:
        clone.change_params(shrink)
        clone.change_params(lambda values: values["download_mnist"].update(directory=str(raw_mnist)))
        clone.commit("shrink")
        clone.dvc("repro", *TARGETS)
        clone.commit("results")

    with ThreadPoolExecutor(2) as both:
        list(both.map(prepare, pair))
    return pair


def shrink_linear(values: Any) -> None:
    """Make the regression of one task a matter of its imports."""
    for implementation in ("scratch", "module"):
        values["train_regression"]["linear"][implementation]["max_iterations"] = 20
    values["evaluate"]["bootstrap_resamples"] = 100


def shrink(values: Any) -> None:
    """Make every stage a matter of its imports: few rows, few epochs."""
    for task in ("linear", "multivariate", "polynomial", "moons"):
        values["generate_synthetic"][task]["rows"] = 120
    for network in values["train_mlp"].values():
        network["epochs"] = 2
    values["train_mlp"]["mnist_softmax"]["batch_size"] = 5000
    values["evaluate"]["bootstrap_resamples"] = 200
