"""What every study shares: the verdict, the row of its table, and the intervals that its rule is applied to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from notes.evaluation import Interval, mean_interval

Row = dict[str, Any]  # of the tidy table; a key that begins with time/ goes to MLflow alone


@dataclass(frozen=True)
class Verdict:
    """What a study found: the effect with its 95 % interval, and what that says of the claim."""

    text: str  # "holds", "fails", "holds under …" or "fails under …"
    effect: str  # what the effect size is, with its unit
    value: float
    low: float
    high: float
    finding: str  # one sentence with the numbers: the figure's title

    def metrics(self) -> dict[str, float]:
        """Return what metrics.json holds; `holds` is 1 for a claim that holds without a condition."""
        effect = {"effect": self.value, "effect_low": self.low, "effect_high": self.high}
        return effect | {"holds": int(self.text == "holds")}


def paired_interval(first: npt.ArrayLike, second: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean of first - second, pair by pair (n,), with Student's t interval."""
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    return mean_interval(differences, confidence)


def rows_where(rows: Iterable[Row], **equal: Any) -> list[Row]:
    """Return the rows whose columns have the given values."""
    return [row for row in rows if all(row.get(column) == value for column, value in equal.items())]


def column(rows: Iterable[Row], name: str, **equal: Any) -> npt.NDArray[np.float64]:
    """Return one column of the rows whose other columns have the given values, in the rows' order."""
    return np.array([row[name] for row in rows_where(rows, **equal)], dtype=np.float64)


def table(rows: Sequence[Row]) -> list[Row]:
    """Return the rows as the CSV holds them: all with the same columns, empty where a row has none, and no times."""
    columns = [name for name in dict.fromkeys(key for row in rows for key in row) if not name.startswith("time/")]
    return [{name: row.get(name, "") for name in columns} for row in rows]


def mean_times(rows: Sequence[Row]) -> dict[str, float]:
    """Return the mean of every time/ column over the rows that have it."""
    names = dict.fromkeys(key for row in rows for key in row if key.startswith("time/"))
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
