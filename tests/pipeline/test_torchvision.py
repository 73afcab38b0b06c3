"""torchvision as an oracle: the notes load MNIST through it, the pipeline reads the same files itself."""

from pathlib import Path

import numpy as np
import pytest

from notes.data.tasks import data_files, load_split
from notes.sources.mnist import read_idx
from textbook import torchvision_mnist

pytestmark = pytest.mark.slow


def test_torchvision_reads_the_same_70_000_images_and_labels(raw_mnist: Path) -> None:
    rows = 0
    for prefix, train in (("train", True), ("t10k", False)):
        theirs = torchvision_mnist(raw_mnist, train=train)
        np.testing.assert_array_equal(read_idx(raw_mnist / f"{prefix}-images-idx3-ubyte"), theirs.data.numpy())
        np.testing.assert_array_equal(read_idx(raw_mnist / f"{prefix}-labels-idx1-ubyte"), theirs.targets.numpy())
        rows += len(theirs)
    assert rows == 70_000


def test_totensor_scales_pixels_to_the_same_floats(raw_mnist: Path, tmp_path: Path) -> None:
    for path, part in zip(data_files("mnist", "test", tmp_path), ("images-idx3", "labels-idx1"), strict=True):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / path, read_idx(raw_mnist / f"t10k-{part}-ubyte"))
    ours, theirs = load_split("mnist", "test", tmp_path), torchvision_mnist(raw_mnist, train=False, normalised=False)
    assert len(np.unique(ours.inputs)) == 256, "every brightness"
    for pixels, label, (tensor, their_label) in zip(ours.inputs, ours.targets, theirs, strict=True):
        assert tensor.numpy().ravel().tobytes() == pixels.tobytes()
        assert label == their_label
