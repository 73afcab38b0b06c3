"""Contestants that are compared each at its own best learning rate.

The even repetitions try every rate and choose one, and only at that one do the odd repetitions run, which judge. A best
rate at an end of the list is no best rate: beyond it might lie a better one.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from notes.intervals import Interval, paired_interval
from notes.studies.shared.base import Row, as_factor, choosing, column, judging, rows_where

Case = dict[str, Any]  # the columns, with their values, that tell a contestant's rows


def run_at_best_rate(
    run: Callable[[float, list[int]], Iterable[Row]], case: Case, rates: Sequence[float], repetitions: int, cost: str
) -> list[Row]:
    """Return the rows of a contestant: of the even repetitions at every rate, and of the odd ones at the best rate.

    `run(rate, repetitions)` returns a row for each repetition.
    """
    even, odd = (list(range(first, repetitions, 2)) for first in (0, 1))

    def rows_at(rate: float, numbers: list[int]) -> list[Row]:
        named = case | {"learning_rate": rate}
        return [named | {"repetition": n} | row for n, row in zip(numbers, run(rate, numbers), strict=True)]

    rows = [row for rate in rates for row in rows_at(rate, even)]
    return rows + rows_at(best_rate(rows, cost, case), odd)


def best_rate(rows: Sequence[Row], cost: str, case: Case) -> float:
    """Return the learning rate with the lowest geometric mean of the column `cost` over the even repetitions."""
    runs = choosing(rows_where(rows, **case))
    rates = sorted({float(row["learning_rate"]) for row in runs})
    return min(rates, key=lambda rate: float(np.log(column(runs, cost, learning_rate=rate)).mean()))


def judged(rows: Sequence[Row], name: str, case: Case) -> npt.NDArray[np.float64]:
    """Return a column of the odd repetitions, each at the rate that was chosen for it."""
    return column(judging(rows_where(rows, **case)), name)


def at_an_end(rows: Sequence[Row], cases: Sequence[Case]) -> bool:
    """Return whether the rate chosen for one of these is the first or the last of the list."""
    rates = {row["learning_rate"] for row in rows if "learning_rate" in row}
    return any(rate in (min(rates), max(rates)) for case in cases for rate in judged(rows, "learning_rate", case))


def ratio(rows: Sequence[Row], cost: str, case: Case, reference: Case) -> Interval:
    """Return one contestant's cost as a multiple of another's: geometric mean of the pairs, odd repetitions."""
    first, second = (np.log(judged(rows, cost, one)) for one in (case, reference))
    return as_factor(paired_interval(first, second))
