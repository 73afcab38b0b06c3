"""Reading generated tables and prepared arrays with every check, so that damage is one sentence and no traceback."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from notes.files import UserError, missing_file, read_rows

SPLITS = ("train", "validation", "test")
SYNTHETIC = "restore it with `dvc repro generate_synthetic`"
PREPARED = "restore it with `dvc repro prepare_mnist`"

# Data rows of one split: the row's number, counted from 1 below the header, and its cells.
Rows = dict[int, dict[str, str]]


def read_table_split(path: Path, split: str, *, features: int | None, with_targets: bool) -> Rows:
    """Return the rows of one split of a table with columns x1 … xd, y, split; y may be absent without targets.

    `features` is d, or None where any number will do. Raises UserError for other columns, a split name that does not
    exist, and a split without rows.
    """
    try:
        rows = read_rows(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a CSV table ({error}): {SYNTHETIC}.") from None
    if not rows:
        raise UserError(f"{path} has no rows: {SYNTHETIC}.")
    _require_columns(path, list(rows[0]), features, with_targets)
    for number, row in enumerate(rows, start=1):
        if len(row) > len(rows[0]):
            raise UserError(f"{path}, row {number} has more cells than there are columns: {SYNTHETIC}.")
        if row["split"] not in SPLITS:
            raise UserError(f"{path}, row {number}, column split: {row['split']!r} is no split's name: {SYNTHETIC}.")
    chosen = {number: row for number, row in enumerate(rows, start=1) if row["split"] == split}
    if not chosen:
        raise UserError(f"{path} has no row in the split {split}: {SYNTHETIC}.")
    return chosen


def feature_columns(rows: Rows) -> list[str]:
    """Return the names x1 … xd in the order of the table."""
    return [column for column in next(iter(rows.values())) if column not in ("y", "split")]


def numbers(path: Path, rows: Rows, columns: Sequence[str], dtype: type[np.floating[Any]]) -> npt.NDArray[Any]:
    """Return the cells of some columns as (rows, columns); raise UserError for the first that is no finite number."""
    values = [[_number(path, number, column, row[column]) for column in columns] for number, row in rows.items()]
    with np.errstate(over="ignore"):
        array = np.asarray(values, dtype=dtype)
    if not np.isfinite(array).all():
        at_row, at_column = np.argwhere(~np.isfinite(array))[0]
        raise UserError(
            f"{path}, row {list(rows)[at_row]}, column {columns[at_column]}: too large for {dtype.__name__}: "
            f"{SYNTHETIC}."
        )
    return array


def class_labels(path: Path, rows: Rows, classes: int) -> npt.NDArray[np.int64]:
    """Return column y as int64; raise UserError for the first cell that is not one of 0 … classes - 1."""
    allowed = {str(label): label for label in range(classes)}
    for number, row in rows.items():
        if row["y"] not in allowed:
            raise UserError(
                f"{path}, row {number}, column y: {row['y']!r} is not one of the classes {', '.join(allowed)}: "
                f"{SYNTHETIC}."
            )
    return np.array([allowed[row["y"]] for row in rows.values()], dtype=np.int64)


def load_images(path: Path) -> npt.NDArray[np.float32]:
    """Return the images of a prepared file as (n, 784) in [0, 1]."""
    images = open_images(path)
    pixels = images.reshape(len(images), 784).astype(np.float32)
    pixels /= 255
    return pixels


def load_labels(path: Path) -> npt.NDArray[np.int64]:
    """Return the labels of a prepared file as (n,) with values 0 to 9."""
    return open_labels(path).astype(np.int64)


def open_images(path: Path) -> npt.NDArray[np.uint8]:
    """Return the images of a file, (n, 28, 28), mapped into memory; UserError when it is truncated or misshapen."""
    return _open_uint8(path, (28, 28))


def open_labels(path: Path) -> npt.NDArray[np.uint8]:
    """Return the labels of a file, (n,), mapped into memory; UserError for a label above 9 too."""
    labels = _open_uint8(path, ())
    if labels.max() > 9:
        position = int(np.argmax(labels > 9))
        raise UserError(f"{path}, row {position + 1}: the label {labels[position]} is above 9: {PREPARED}.")
    return labels


def _require_columns(path: Path, found: list[str], features: int | None, with_targets: bool) -> None:
    # csv calls cells beyond the header's last column None.
    names = [str(column or "(nameless)") for column in found]
    width = features or max(1, sum(name.startswith("x") for name in names))
    needed = [f"x{index + 1}" for index in range(width)] + ["y", "split"]
    if not with_targets:
        needed.remove("y")
        names = [name for name in names if name != "y"]
    if names != needed:
        raise UserError(f"{path} has the columns {', '.join(names)}, but needs {', '.join(needed)}: {SYNTHETIC}.")


def _number(path: Path, row: int, column: str, cell: str | None) -> float:
    try:
        value = float(cell or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{path}, row {row}, column {column}: {cell or ''!r} is not a finite number: {SYNTHETIC}.")
    return value


def _open_uint8(path: Path, item_shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise missing_file(path) from None
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is not a whole .npy file ({error}): {PREPARED}.") from None
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        found = array.dtype if isinstance(array, np.ndarray) else "an archive"
        raise UserError(f"{path} holds {found}, but needs uint8: {PREPARED}.")
    if array.ndim == 0 or array.shape[1:] != item_shape:
        needed = ", ".join(["n", *map(str, item_shape)])
        raise UserError(f"{path} has the shape {array.shape}, but needs ({needed}): {PREPARED}.")
    if not len(array):
        raise UserError(f"{path} is empty: {PREPARED}.")
    return array
