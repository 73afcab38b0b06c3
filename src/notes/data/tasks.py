"""The tasks, and the arrays of one split of one task: all that training and evaluation read.

Five are known here. Any other is a table that `prepare_table` has prepared, with a task.json beside it.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from notes.files import UserError, missing_file, read_json

REPOSITORY = Path()
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Task:
    """What a task predicts, and the metric by which its models are compared."""

    name: str
    kind: Literal["regression", "binary", "multiclass"]
    classes: int | None
    primary_metric: Literal["rmse", "accuracy"]
    direction: Literal["minimize", "maximize"]

    @classmethod
    def predicting(cls, name: str, classes: int) -> "Task":
        """Return the task of predicting one of so many classes, or with none a number."""
        if not classes:
            return cls(name, "regression", None, "rmse", "minimize")
        return cls(name, "binary" if classes == 2 else "multiclass", classes, "accuracy", "maximize")


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task.predicting("linear", 0),
        Task.predicting("multivariate", 0),
        Task.predicting("polynomial", 0),
        Task.predicting("moons", 2),
        Task.predicting("mnist", 10),
    )
}
TASK_FILE = "task.json"


@dataclass(frozen=True)
class Naming:
    """What a task's data set is called, and its classes in the order of their numbers; a regression has none."""

    title: str
    classes: list[str]


@dataclass(frozen=True)
class Split:
    """One split: `inputs` (n, d) and `targets` (n,).

    Classification: float32 and the class numbers as int64. Regression: float64 and float64.
    """

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[Any]


def find_task(name: str, root: Path = REPOSITORY) -> Task:
    """Return a task by its name; raise UserError for one that is neither known here nor a prepared table."""
    if name in TASKS:
        return TASKS[name]
    return Task.predicting(name, len(_described(name, root)["classes"]))


def data_files(task: str, split: str, root: Path = REPOSITORY) -> list[Path]:
    """Return the files that `load_split` reads, relative to the repository's root, the inputs' file first."""
    find_task(task, root)
    if split not in SPLITS:
        raise UserError(f"There is no split named {split!r}: choose one of {', '.join(SPLITS)}.")
    # The test rows have a folder of their own, so that a stage that depends on `development` cannot see them.
    folder = Path("data") / task / ("test" if split == "test" else "development")
    if task == "mnist":
        return [folder / f"{split}_{part}.npy" for part in ("images", "labels")]
    return [folder / "table.csv"]


def load_split(task: str, split: str, root: Path = REPOSITORY) -> Split:
    """Return one split of a task; `root` is the repository's root.

    MNIST's pixels are scaled to [0, 1] and flattened to 784. Raises UserError for a file that is missing or damaged.
    """
    paths = [root / path for path in data_files(task, split, root)]
    if task != "mnist":
        of_inputs, of_targets = _dtypes(find_task(task, root))
        table = _read_table(paths[0], split, slice(-1))
        return Split(np.array(table[:, :-1], dtype=of_inputs), table[:, -1].astype(of_targets))
    images, labels = load_inputs(task, split, root), _read_bytes(paths[1], ())
    if len(images) != len(labels):
        raise _damaged(paths[1], f"{len(labels)} labels for {len(images)} images")
    return Split(images, labels.astype(np.int64))


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
    path = root / data_files(task, split, root)[0]
    if task != "mnist":
        return _read_table(path, split, slice(-2)).astype(_dtypes(find_task(task, root))[0])
    images = _read_bytes(path, (28, 28))
    pixels = images.reshape(len(images), 784).astype(np.float32)
    pixels /= 255
    return pixels


def load_naming(task: str, root: Path = REPOSITORY) -> Naming:
    """Return what a task's data set and its classes are called; those of MNIST or Fashion-MNIST as it was prepared."""
    if task in TASKS and task != "mnist":
        return Naming(task, [str(number) for number in range(TASKS[task].classes or 0)])
    written = read_json(root / "data" / task / "test" / "classes.json") if task == "mnist" else _described(task, root)
    return Naming(written["title"], written["classes"])


def _described(task: str, root: Path) -> dict[str, Any]:
    """Return what `prepare_table` says of a table; it stands beside the test rows and beside the others."""
    for folder in ("test", "development"):
        file = root / "data" / task / folder / TASK_FILE
        if file.is_file():
            return dict(read_json(file))
    known = ", ".join(TASKS)
    raise UserError(
        f"There is no task named {task!r}: choose one of {known}, or one of prepare_table, prepared by `dvc repro`."
    )


def _read_table(path: Path, split: str, columns: slice) -> npt.NDArray[np.float64]:
    """Return some columns of the rows of one split; the table's columns are x1 … xd, y, split."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        table = np.array(rows)
        numbers: npt.NDArray[np.float64] = table[table[:, -1] == split][:, columns].astype(np.float64, order="C")
    except FileNotFoundError:
        raise missing_file(path) from None
    except (ValueError, IndexError, csv.Error):
        raise _damaged(path, "not a table of numbers") from None
    if header != [*(f"x{number}" for number in range(1, len(header) - 1)), "y", "split"]:
        raise _damaged(path, f"its columns are {', '.join(header)}")
    if unknown := set(table[:, -1]) - set(SPLITS):
        raise _damaged(path, f"{unknown.pop()!s} is no split")
    if not len(numbers):
        raise _damaged(path, f"no row in the split {split}")
    if not np.isfinite(numbers).all():
        raise _damaged(path, "a number is not finite")
    return numbers


def _read_bytes(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Return the array of a prepared file, (n, *shape), mapped into memory."""
    try:
        array: npt.NDArray[np.uint8] = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise missing_file(path) from None
    except ValueError:
        raise _damaged(path, "not a whole .npy file") from None
    if array.dtype != np.uint8 or array.ndim != 1 + len(shape) or array.shape[1:] != shape:
        raise _damaged(path, f"{array.dtype} of the shape {array.shape}")
    return array


def _dtypes(task: Task) -> tuple[type[np.generic], type[np.generic]]:
    """Return the types of inputs and targets."""
    return (np.float64, np.float64) if task.classes is None else (np.float32, np.int64)


def _damaged(path: Path, found: str) -> UserError:
    return UserError(f"{path} is damaged ({found}): restore it with `dvc checkout --force {path}`.")
