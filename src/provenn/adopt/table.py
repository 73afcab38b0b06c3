"""The table of a new project: the user's own, looked at before anything is made, or one that is drawn."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from provenn.files import UserError, one_line

# Whole numbers with no more values than this are classes.
MOST_CLASSES = 10
FEWEST_ROWS = 20


@dataclass(frozen=True)
class Table:
    """A CSV file's content, the column to predict, and whether that is a class instead of a number."""

    content: bytes
    target: str
    classification: bool


def read_table(csv: Path, target: str) -> Table:
    """Return a CSV file as a table; raise UserError when it cannot be read or nothing can be learned from it."""
    try:
        content = csv.read_bytes()
        columns = list(pd.read_csv(csv, nrows=0).columns)
        if target not in columns:
            known = ", ".join(columns[:12]) + (", …" if len(columns) > 12 else "")
            raise UserError(f"{csv} has no column {target}: it has {known}; --target names one of them.")
        if any(name.startswith("Unnamed: ") for name in columns):
            raise UserError(f"{csv} has a column without a name, as row numbers are written: name it, or leave it out.")
        values = pd.read_csv(csv, usecols=[target])[target].dropna()
    except (ValueError, OSError) as error:
        raise UserError(f"{csv} cannot be read as a table ({one_line(error)[:200]}): --csv names a CSV file.") from None
    if len(columns) < 2:
        raise UserError(f"{csv} has no column besides {target}: there is nothing to predict it from.")
    if values.nunique() < 2:
        raise UserError(f"{target} has {_counted(values.nunique())} in {csv}: there is nothing to predict.")
    if len(values) < FEWEST_ROWS:
        raise UserError(f"{csv} has {len(values)} rows with a {target}: at least {FEWEST_ROWS} are needed.")
    classification = _are_classes(values)
    if classification and values.nunique() > len(values) / 2:
        raise UserError(f"{target} has {values.nunique()} different texts in {len(values)} rows: these are no classes.")
    return Table(content, target, classification)


def draw_table(rows: int = 600) -> Table:
    """Return a table of fruit, ripe or not, from a seeded generator, with text and missing values."""
    random = np.random.default_rng(0)
    size, age = random.normal(7, 1.5, rows), random.uniform(1, 30, rows)
    colour = random.choice(["green", "yellow", "red"], rows)
    score = 0.8 * (size - 7) + 0.15 * (age - 15) + np.select([colour == "green", colour == "red"], [-2.0, 2.0], 0.0)
    ripe = np.where(score + random.logistic(scale=0.7, size=rows) > 0, "ripe", "unripe")
    frame = pd.DataFrame({"size": size.round(2), "age": age.round(1), "colour": colour, "state": ripe})
    for name in ("size", "colour"):
        frame.loc[random.random(rows) < 0.05, name] = None
    return Table(frame.to_csv(index=False, lineterminator="\n").encode(), "state", True)


def _are_classes(values: pd.Series) -> bool:
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        return True
    return values.nunique() <= MOST_CLASSES and bool((values == values.round()).all())


def _counted(number: int) -> str:
    return "one value" if number else "no value"
