"""Can a linear method fit a curve, and does every further power help?

Polynomial regression is linear regression on the powers x, x², x³ …: the curve bends, but the coefficients still
enter linearly, so least squares finds them in one step. The degree is the capacity. Each further power can only lower
the error on the rows it was fitted to; on rows it has not seen there is a best degree, and beyond it the curve
follows the noise (over-fitting).

Here many small training sets are drawn from the same curve with noise. The best degree is chosen on every second one
of them and judged on the others, because a minimum looks better than it is on the data that chose it.
"""

from collections.abc import Callable

import numpy as np
import torch

from notes.intervals import Interval, paired_interval
from notes.networks.regression import Powers
from notes.settings import Settings
from notes.sources.synthetic import make_polynomial
from notes.studies.shared.base import Row, Verdict, as_factor, choosing, column, judging, rows_where, text_of
from notes.studies.shared.experiment import random_for

CLAIM = (
    "Linear regression on powers fits a curve, and the degree is its capacity: too low under-fits, too high over-fits."
)
NOTES = "5. Regression: polynomial; 1. Principle: too many over-fit, too few are weak"
RULE = (
    "The best degree has the lowest validation RMSE (geometric mean) over the even repetitions. Over the odd ones the "
    "RMSE of degree 1, and that of the largest degree, are divided by the best degree's. Holds if the 95 % intervals "
    "of the geometric mean of both ratios lie above 1, holds only for degrees too low, or too high, if only that "
    "ratio's does, fails if neither does."
)
RANGE = (-2.0, 2.0)  # of make_polynomial's feature


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a degree and training set with its errors; the curves and points of the first set have rows too."""
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        table = make_polynomial(
            rows=settings.train_rows + settings.validation_rows,
            coefficients=settings.coefficients,
            noise=settings.noise,
            generator=random_for(seed, repetition),
        )
        x, y = np.array(table["x1"]), np.array(table["y"])
        train, validation = slice(settings.train_rows), slice(settings.train_rows, None)
        for degree in range(1, settings.max_degree + 1):
            curve = fit_polynomial(x[train], y[train], degree)
            errors = curve(x) - y
            rows.append(
                {
                    "kind": "error",
                    "repetition": repetition,
                    "degree": degree,
                    "train_rmse": root_mean_square(errors[train]),
                    "validation_rmse": root_mean_square(errors[validation]),
                }
            )
            if repetition == 0:
                grid = np.linspace(*RANGE, 101)
                rows += _points("curve", grid, curve(grid), degree)
        if repetition == 0:
            rows += _points("train row", x[train], y[train], 0)
    return rows


def fit_polynomial(x: np.ndarray, y: np.ndarray, degree: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the polynomial of least squared error through x, y (n,): linear regression on standardised powers."""
    powers = Powers(1, degree).fit(torch.from_numpy(x[:, None]))
    features = powers(torch.from_numpy(x[:, None])).numpy()
    intercept, *weights = np.linalg.lstsq(np.column_stack([np.ones(len(y)), features]), y, rcond=None)[0]
    return lambda new: intercept + powers(torch.from_numpy(new[:, None])).numpy() @ np.array(weights)


def root_mean_square(errors: np.ndarray) -> float:
    """Return the root of the mean of the squares, in the errors' unit."""
    return float(np.sqrt(np.mean(errors**2)))


def _points(kind: str, x: np.ndarray, y: np.ndarray, degree: int) -> list[Row]:
    return [
        {"kind": kind, "repetition": 0, "degree": degree, "x": float(a), "y": float(b)}
        for a, b in zip(x, y, strict=True)
    ]


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE."""
    best = best_degree(rows)
    costs = {"degrees too low": cost(rows, 1, best), "degrees too high": cost(rows, settings.max_degree, best)}
    text = text_of([name for name, interval in costs.items() if interval.low > 1], list(costs))
    under, over = costs.values()
    finding = (
        f"Degree {best} predicts best; degree 1 errs {_times(under)} as much on new rows, "
        f"and degree {settings.max_degree} {_times(over)} as much"
    )
    return Verdict(text, f"validation RMSE of degree {settings.max_degree} over that of degree {best}", *over, finding)


def best_degree(rows: list[Row]) -> int:
    """Return the degree of the lowest mean log validation RMSE over the even repetitions."""
    errors = choosing(rows_where(rows, kind="error"))
    degrees = sorted({int(row["degree"]) for row in errors})
    return min(degrees, key=lambda degree: float(np.log(column(errors, "validation_rmse", degree=degree)).mean()))


def cost(rows: list[Row], degree: int, best: int) -> Interval:
    """Return the validation RMSE of a degree as a multiple of the best one's: geometric mean, odd repetitions."""
    errors = judging(rows_where(rows, kind="error"))
    of_degree, of_best = (np.log(column(errors, "validation_rmse", degree=one)) for one in (degree, best))
    return as_factor(paired_interval(of_degree, of_best))


def _times(interval: Interval) -> str:
    return f"{interval.value:.3g} times [{interval.low:.3g}, {interval.high:.3g}]"
