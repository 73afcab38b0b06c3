"""Contestants that are compared each at its own best learning rate.

The even repetitions choose the rate, the odd ones judge it. A best rate at the end of the list is no best rate: beyond
it might lie a better one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from notes.intervals import Interval, paired_interval
from notes.studies.shared.base import Row, choosing, column, judging, rows_where

Case = dict[str, Any]  # the columns, with their values, that tell a contestant's rows


def best_rate(rows: Sequence[Row], cost: str, case: Case) -> float:
    """Return the learning rate with the lowest geometric mean of the column `cost` over the even repetitions."""
    runs = choosing(rows_where(rows, **case))
    rates = sorted({float(row["learning_rate"]) for row in runs})
    return min(rates, key=lambda rate: float(np.log(column(runs, cost, learning_rate=rate)).mean()))


def at_best_rate(rows: Sequence[Row], cost: str, case: Case, name: str = "") -> npt.NDArray[np.float64]:
    """Return `cost`, or the column `name`, of the odd repetitions at the best learning rate."""
    best = best_rate(rows, cost, case)
    return column(judging(rows_where(rows, **case)), name or cost, learning_rate=best)


def at_an_end(rows: Sequence[Row], cost: str, cases: Sequence[Case]) -> bool:
    """Return whether the best learning rate of one of these is the first or the last of the list."""
    rates = {row["learning_rate"] for row in rows if "learning_rate" in row}
    return any(best_rate(rows, cost, case) in (min(rates), max(rates)) for case in cases)


def ratio(rows: Sequence[Row], cost: str, case: Case, reference: Case) -> Interval:
    """Return one contestant's cost as a multiple of another's: geometric mean of the pairs, odd repetitions."""
    first, second = (np.log(at_best_rate(rows, cost, one)) for one in (case, reference))
    return Interval(*(float(end) for end in np.exp(paired_interval(first, second))))
