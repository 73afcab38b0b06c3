"""Clones in which the pipeline has run, made once for all tests of this folder."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from provenn.data.download import fetch
from repository import ROOT, Clone, shrink
from small_repository import finished, repository

__all__ = ["finished", "repository"]

TARGETS = (
    "export_model@linear",
    "train_mlp@moons_mlp",
    "train_mlp@mnist_softmax",
    "train_baseline@moons_random_forest",
)


@pytest.fixture(scope="session")
def raw_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real MNIST files, from this repository's own download if it has one."""
    folder = tmp_path_factory.mktemp("raw")
    fetch("mnist", folder, directory=ROOT / "data" / "raw", deadline_s=300, progress=None)
    return folder


@pytest.fixture(scope="session")
def clones(tmp_path_factory: pytest.TempPathFactory, raw_mnist: Path) -> tuple[Clone, Clone]:
    """Two clones at different paths in which the same shrunk pipeline has run, side by side."""
    folder = tmp_path_factory.mktemp("clones")
    pair = Clone(folder / "here"), Clone(folder / "some where else")

    def prepare(clone: Clone) -> None:
        clone.change_params(shrink)
        clone.change_params(lambda values: values["download_mnist"].update(directory=str(raw_mnist)))
        clone.commit("shrink")
        clone.dvc("repro", *TARGETS)
        clone.commit("results")

    with ThreadPoolExecutor(2) as both:
        list(both.map(prepare, pair))
    return pair
