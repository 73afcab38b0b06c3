"""Turn the IDX files into arrays: train and validation to develop on, the official test set apart."""

from pathlib import Path

import numpy as np

from notes.files import atomic_path, write_json
from notes.script import run_script
from notes.settings import read_settings
from notes.sources.mnist import CLASSES, TITLES, dataset_in, read_idx, split_train_validation
from provenn.record import track

RAW = Path("data/raw")
PREPARED = Path("data/mnist")


def main() -> None:
    """Split the 60,000 training pictures, stratified by class, and save everything as .npy (uint8)."""
    settings = read_settings("prepare_mnist")
    with track():
        images = read_idx(RAW / "train-images-idx3-ubyte")
        labels = read_idx(RAW / "train-labels-idx1-ubyte")
        train, validation = split_train_validation(
            labels, validation_size=settings.validation_size, generator=np.random.default_rng(settings.seed)
        )
        save("development/train", images[train], labels[train])
        save("development/validation", images[validation], labels[validation])
        dataset = dataset_in(RAW)
        write_json(PREPARED / "test/classes.json", {"title": TITLES[dataset], "classes": CLASSES[dataset]})
        save("test/test", read_idx(RAW / "t10k-images-idx3-ubyte"), read_idx(RAW / "t10k-labels-idx1-ubyte"))


def save(name: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Write the pictures (n, 28, 28) and labels (n,) of a split."""
    for kind, array in (("images", images), ("labels", labels)):
        with atomic_path(PREPARED / f"{name}_{kind}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, array)
    print(f"{name}: {len(labels)} pictures")


if __name__ == "__main__":
    run_script(main)
