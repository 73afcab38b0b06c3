"""MNIST's four IDX files: what they are, reading and checking them, splitting the training set."""

import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from notes.files import UserError, digest, missing_file
from notes.sources.splitting import choose_stratified

RESTORE = "restore it with `dvc repro download_mnist`"

# Shape of what each file holds; Fashion-MNIST has the same names and shapes.
FILES: dict[str, tuple[int, ...]] = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}

# What each set is called, and its classes in the order of their labels (Fashion-MNIST: Xiao, Rasul and Vollgraf 2017,
# arXiv:1708.07747, table 2).
TITLES: dict[str, str] = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
CLASSES: dict[str, list[str]] = {
    "mnist": [str(digit) for digit in range(10)],
    "fashion_mnist": [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ],
}  # fmt: skip

# Of the uncompressed files. Fashion-MNIST: from Debian's package dataset-fashion-mnist, whose compressed files differ
# from the publisher's in the gzip header alone.
SHA256: dict[str, dict[str, str]] = {
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}


def file_size(name: str) -> int:
    """Return the size in bytes of one of FILES: the magic number, one 32-bit number a dimension, one byte a value."""
    shape = FILES[name]
    return 4 + 4 * len(shape) + math.prod(shape)


def dataset_in(folder: Path) -> str:
    """Return the name of the data set whose files lie in a folder; raise UserError when they are of none."""
    name = "t10k-labels-idx1-ubyte"
    found = digest(folder / name, "sha256")
    for dataset, known in SHA256.items():
        if known[name] == found:
            return dataset
    raise UserError(f"{folder / name} is neither MNIST's nor Fashion-MNIST's: {RESTORE}.")


def read_idx(path: Path | str) -> npt.NDArray[np.uint8]:
    """Return the images (n, 28, 28) or the labels (n,) of an uncompressed IDX file: uint8, read-only.

    The format is the one on MNIST's home page: two zero bytes, the type (8 = unsigned byte), the number of dimensions,
    the dimensions as big-endian 32-bit numbers, the values. Raises UserError for a file that is anything else.
    """
    try:
        content = Path(path).read_bytes()
        zeros, kind, dimensions = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{dimensions}I", content, 4)
        values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
        if (zeros, kind) != (0, 8) or shape[1:] not in ((), (28, 28)):
            raise ValueError("neither images nor labels")
    except FileNotFoundError:
        raise missing_file(path) from None
    except (struct.error, ValueError):
        raise UserError(f"{path} is not one of MNIST's IDX files: {RESTORE}.") from None
    return values


def split_train_validation(
    labels: npt.NDArray[np.uint8], *, validation_size: int, generator: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the sorted positions (train, validation) of a stratified split of `labels` (n,) with digits 0 to 9.

    The two are disjoint and complete, and validation has exactly `validation_size`. Raises UserError when the size is
    out of reach or one of the ten classes is absent from a split.
    """
    if not 0 < validation_size < len(labels):
        raise UserError(
            f"prepare_mnist: a validation set of {validation_size} cannot be split from {len(labels)} images: "
            "change its size in params.yaml."
        )
    validation = choose_stratified(labels, validation_size, generator)
    train = np.setdiff1d(np.arange(len(labels)), validation, assume_unique=True)
    for name, index in (("train", train), ("validation", validation)):
        absent = np.setdiff1d(np.arange(10), labels[index])
        if len(absent):
            raise UserError(
                f"prepare_mnist: the {name} split of {len(index)} images has none of class {absent[0]}: "
                "change the size of the validation set in params.yaml."
            )
    return train, validation
