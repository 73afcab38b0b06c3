"""The five tasks, and the arrays of one split of one task: all that training and evaluation read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from notes.data import reading
from notes.files import UserError

REPOSITORY = Path()


@dataclass(frozen=True)
class Task:
    """What a task predicts, and the metric by which its models are compared."""

    name: str
    kind: Literal["regression", "binary", "multiclass"]
    classes: int | None
    primary_metric: Literal["rmse", "accuracy"]
    direction: Literal["minimize", "maximize"]


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("linear", "regression", None, "rmse", "minimize"),
        Task("multivariate", "regression", None, "rmse", "minimize"),
        Task("polynomial", "regression", None, "rmse", "minimize"),
        Task("moons", "binary", 2, "accuracy", "maximize"),
        Task("mnist", "multiclass", 10, "accuracy", "maximize"),
    )
}

# The multivariate table has as many features as params.yaml has weights.
_FEATURES = {"linear": 1, "multivariate": None, "polynomial": 1, "moons": 2}


@dataclass(frozen=True)
class Split:
    """One split: `inputs` (n, d) and `targets` (n,).

    Classification: float32 and the class numbers as int64. Regression: float64 and float64.
    """

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[Any]


def data_files(task: str, split: str) -> list[Path]:
    """Return the files that `load_split` reads, relative to the repository's root, the inputs' file first."""
    _require_known(task, split)
    # The test rows have a folder of their own, so that a stage that depends on `development` cannot see them.
    folder = Path("data") / task / ("test" if split == "test" else "development")
    if task == "mnist":
        return [folder / f"{split}_{part}.npy" for part in ("images", "labels")]
    return [folder / "table.csv"]


def load_split(task: str, split: str, root: Path = REPOSITORY) -> Split:
    """Return one split of a task, checked; `root` is the repository's root.

    MNIST's pixels are scaled to [0, 1] and flattened to 784. Raises UserError for a file that is missing or damaged,
    cells that are not finite numbers, an empty split, and a class that the split lacks.
    """
    paths = [root / path for path in data_files(task, split)]
    classes = TASKS[task].classes
    if task == "mnist":
        data = _load_mnist(*paths)
    else:
        rows = reading.read_table_split(paths[0], split, features=_FEATURES[task], with_targets=True)
        columns = reading.feature_columns(rows)
        if classes is None:
            table = reading.numbers(paths[0], rows, [*columns, "y"], np.float64)
            data = Split(np.ascontiguousarray(table[:, :-1]), np.ascontiguousarray(table[:, -1]))
        else:
            inputs = reading.numbers(paths[0], rows, columns, np.float32)
            data = Split(inputs, reading.class_labels(paths[0], rows, classes))
    absent = np.setdiff1d(np.arange(classes or 0), data.targets)
    if len(absent):
        restore = reading.PREPARED if task == "mnist" else reading.SYNTHETIC
        raise UserError(f"{paths[-1]}: the split {split} has no row of class {absent[0]}: {restore}.")
    return data


def training_splits(task: str, train_on: str) -> tuple[Split, Split | None]:
    """Return what to train on and what to validate on: the two splits apart, or together and nothing to validate on.

    `train_on` is `train` or `train_and_validation`.
    """
    train, validation = load_split(task, "train"), load_split(task, "validation")
    if train_on == "train":
        return train, validation
    inputs = np.concatenate([train.inputs, validation.inputs])
    return Split(inputs, np.concatenate([train.targets, validation.targets])), None


def load_inputs(task: str, split: str, root: Path = REPOSITORY) -> npt.NDArray[Any]:
    """Return what `load_split` gives as inputs without reading a label: neither column y nor MNIST's label file."""
    path = root / data_files(task, split)[0]
    if task == "mnist":
        return reading.load_images(path)
    rows = reading.read_table_split(path, split, features=_FEATURES[task], with_targets=False)
    dtype = np.float64 if TASKS[task].classes is None else np.float32
    return reading.numbers(path, rows, reading.feature_columns(rows), dtype)


def _load_mnist(images_path: Path, labels_path: Path) -> Split:
    images, labels = reading.load_images(images_path), reading.load_labels(labels_path)
    if len(images) != len(labels):
        raise UserError(
            f"{images_path} has {len(images)} images but {labels_path} has {len(labels)} labels: {reading.PREPARED}."
        )
    return Split(images, labels)


def _require_known(task: str, split: str) -> None:
    if task not in TASKS:
        raise UserError(f"There is no task named {task!r}: choose one of {', '.join(TASKS)}.")
    if split not in reading.SPLITS:
        raise UserError(f"There is no split named {split!r}: choose one of {', '.join(reading.SPLITS)}.")
