"""Tables: their rows dealt to the splits, a table of one's own read and checked, and writing one."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from notes.files import UserError, atomic_path, missing_file
from notes.sources.splitting import choose_stratified


@dataclass(frozen=True)
class OwnTable:
    """A table of one's own: the features' columns, finite numbers, and the target, class numbers where there are some.

    `classes` are the target's values in the order of their numbers; a regression has none.
    """

    features: pd.DataFrame
    target: "pd.Series[float] | pd.Series[int]"
    classes: list[str]


def read_own_table(path: Path | str, target: str, *, classification: bool) -> OwnTable:
    """Return a CSV file's table, checked by pandera: every feature a finite number, no target missing.

    Raises UserError that names the first column and line with something else, and for a target that is not there, or
    of which there is one class alone.
    """
    table = _read(path)
    if target not in table.columns:
        near = difflib.get_close_matches(target, table.columns, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(table.columns[:20])}."
        raise UserError(f"{path} has no column {target}: {hint}")
    features = [column for column in table.columns if column != target]
    if not features:
        raise UserError(f"{path} has the column {target} alone: there is nothing to predict it from.")
    checked = _checked(path, table, [*features, *([] if classification else [target])], target)
    if not classification:
        return OwnTable(checked[features], checked[target], [])
    values = checked[target].astype(str)
    classes = sorted(values.unique(), key=_numbers_first)
    if len(classes) < 2:
        raise UserError(f"{path}: all rows have {target} = {classes[0]}: there is nothing to tell apart.")
    return OwnTable(checked[features], values.map(classes.index).astype("int64"), classes)


def standardised(features: pd.DataFrame, training: "pd.Series[bool]") -> tuple[pd.DataFrame, list[float], list[float]]:
    """Return the features minus their mean over their deviation, both of the training rows, and these two.

    A feature that does not vary keeps the deviation 1.
    """
    mean, deviation = features[training].mean(), features[training].std(ddof=0)
    scale = deviation.where(deviation > 0, 1.0)
    return (features - mean) / scale, mean.tolist(), scale.tolist()


def add_split_column(
    table: pd.DataFrame,
    *,
    validation: float,
    test: float,
    generator: np.random.Generator,
    stratify: str | None = None,
) -> pd.DataFrame:
    """Return a copy with a text column `split`: train, validation or test, drawn at random.

    Validation and test get round(rows * fraction) rows each and train the rest; with `stratify`, each class of that
    column keeps its share in all three. Raises UserError when a split would be empty or would lack a class.
    """
    labels = np.zeros(len(table), dtype=np.int64) if stratify is None else table[stratify].to_numpy()
    split = np.full(len(table), "train", dtype=object)
    for name, fraction in (("validation", validation), ("test", test)):
        free = np.flatnonzero(split == "train")
        size = min(round(len(table) * fraction), len(free))
        split[free[choose_stratified(labels[free], size, generator)]] = name
    _require_every_class(labels, split, stratify)
    return table.assign(split=pd.Series(split, index=table.index, dtype="str"))


def write_table(path: Path | str, table: pd.DataFrame) -> None:
    """Write a table as CSV, atomically: line feeds, no index, floats in the shortest form that reads back exactly."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")


def _require_every_class(labels: npt.NDArray[np.generic], split: npt.NDArray[np.object_], column: str | None) -> None:
    for name in ("train", "validation", "test"):
        missing = np.setdiff1d(labels, labels[split == name])
        if len(missing) or not len(labels):
            what = "no row at all" if column is None or not len(labels) else f"no row with {column} = {missing[0]}"
            raise UserError(
                f"of {len(labels)} rows the {name} split gets {what}: "
                "take more rows or change the fractions in params.yaml."
            )


def _read(path: Path | str) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise missing_file(path) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, IsADirectoryError) as error:
        raise UserError(f"{path} is no CSV table with a header ({' '.join(str(error).split())}): mend it.") from None
    twice = table.columns[table.columns.str.fullmatch(r".*\.\d+")]  # pandas numbers columns of one name
    if len(table) == 0:
        raise UserError(f"{path} has no row below its header: add some.")
    if len(twice):
        raise UserError(f"{path} has two columns {twice[0].rpartition('.')[0]}: give each its own name.")
    return table


def _checked(path: Path | str, table: pd.DataFrame, numbers: Sequence[str], target: str) -> pd.DataFrame:
    import pandera.pandas as pandera

    finite = pandera.Check(np.isfinite, error="finite")
    columns = {column: pandera.Column(float, finite, coerce=True) for column in numbers}
    schema = pandera.DataFrameSchema({target: pandera.Column()} | columns)
    try:
        checked: pd.DataFrame = schema.validate(table, lazy=True)
    except pandera.errors.SchemaErrors as error:
        first = error.failure_cases.dropna(subset=["index"]).iloc[0]
        found, line = table.loc[int(first["index"]), first["column"]], int(first["index"]) + 2
        what = f"column {first['column']} " + ("is empty" if pd.isna(found) else f"holds {found}, no finite number")
        raise UserError(f"{path}, line {line}: the {what}: mend the row or leave it out.") from None
    return checked


def _numbers_first(value: str) -> tuple[bool, float, str]:
    try:
        return False, float(value), value
    except ValueError:
        return True, 0.0, value
