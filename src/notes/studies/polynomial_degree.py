"""Can a linear method fit a curve, and does every further power help?

Polynomial regression is linear regression on the powers x, x², x³ …: the curve bends, but the coefficients still
enter linearly, so least squares finds them in one step. The degree is the capacity. Each further power can only lower
the error on the rows it was fitted to; on rows it has not seen there is a best degree, and beyond it the curve
follows the noise (over-fitting).

Here many small training sets are drawn from the same curve with noise. The best degree is chosen on the first half of
them and judged on the second, because a minimum looks better than it is on the data that chose it.
"""

from collections.abc import Callable

import numpy as np
import torch

from notes.intervals import Interval, paired_interval
from notes.networks.regression import Powers
from notes.settings import Settings
from notes.sources.synthetic import make_polynomial
from notes.studies.shared.base import Row, Verdict, column, rows_where

CLAIM = (
    "Linear regression on powers fits a curve, and the degree is its capacity: too low under-fits, too high over-fits."
)
NOTES = "5. Regression: polynomial; 1. Principle: too many over-fit, too few are weak"
RULE = (
    "The best degree has the lowest mean logarithm of the validation RMSE over the first half of the repetitions. On "
    "the second half the validation RMSE of degree 1, and that of the largest degree, are divided by the best "
    "degree's, repetition by repetition. Under-fitting is shown if the 95 % interval of the geometric mean of the "
    "first ratio lies above 1, over-fitting if that of the second does. Holds if both are, holds under the one that "
    "is, fails if neither is."
)
RANGE = (-2.0, 2.0)  # of make_polynomial's feature


def measure(settings: Settings, generator_seed: int) -> list[Row]:
    """Return a row a degree and training set with its errors; the curves and points of the first set have rows too."""
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        table = make_polynomial(
            rows=settings.train_rows + settings.validation_rows,
            coefficients=settings.coefficients,
            noise=settings.noise,
            generator=np.random.default_rng(generator_seed + repetition),
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
    half = settings.repetitions // 2
    best = best_degree(rows, half)
    under, over = (cost(rows, degree, best, half) for degree in (1, settings.max_degree))
    shown = [name for name, interval in (("too low", under), ("too high", over)) if interval.low > 1]
    text = {2: "holds", 1: f"holds under degrees that are {''.join(shown)}", 0: "fails"}[len(shown)]
    finding = (
        f"Degree {best} predicts best; degree 1 errs {_times(under)} as much on new rows, "
        f"and degree {settings.max_degree} {_times(over)} as much"
    )
    return Verdict(text, f"validation RMSE of degree {settings.max_degree} over that of degree {best}", *over, finding)


def best_degree(rows: list[Row], half: int) -> int:
    """Return the degree of the lowest mean log validation RMSE in the repetitions below `half`."""
    errors = rows_where(rows, kind="error")
    first = [row for row in errors if row["repetition"] < half]
    degrees = sorted({int(row["degree"]) for row in errors})
    return min(degrees, key=lambda degree: float(np.log(column(first, "validation_rmse", degree=degree)).mean()))


def cost(rows: list[Row], degree: int, best: int, half: int) -> Interval:
    """Return the validation RMSE of a degree as a multiple of the best one's: geometric mean from `half` on."""
    second = [row for row in rows_where(rows, kind="error") if row["repetition"] >= half]
    of_degree, of_best = (np.log(column(second, "validation_rmse", degree=one)) for one in (degree, best))
    return Interval(*(float(end) for end in np.exp(paired_interval(of_degree, of_best))))


def _times(interval: Interval) -> str:
    return f"{interval.value:.3g} times [{interval.low:.3g}, {interval.high:.3g}]"
