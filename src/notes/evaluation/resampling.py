"""How sure an estimate is, by resampling its rows: what the metrics and the paired tests of regressions draw.

How often these intervals hold the truth on small test sets is measured in docs/comparisons.md.
"""

import math
from collections.abc import Callable

import numpy as np

from notes.intervals import Interval

RESAMPLES_AT_ONCE = 50  # keeps 10,000 rows at a few megabytes

# Arrays (…, n) in, an estimate and its standard error (…) out.
Estimate = Callable[..., tuple[np.ndarray, np.ndarray]]


def bootstrap_t(
    estimate: Estimate, *rows: np.ndarray, confidence: float, resamples: int, generator: np.random.Generator
) -> Interval:
    """Return the estimate from `rows`, arrays (n,) resampled together, with its studentised bootstrap interval.

    Each resample's distance from the estimate is divided by its own standard error, which corrects for the skew of
    means of squares where percentiles do not (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter
    12.5). An end is infinite where too many resamples have no spread at all.
    """
    value, error = (float(number) for number in estimate(*rows))
    pivots = np.empty(resamples)
    for begin in range(0, resamples, RESAMPLES_AT_ONCE):
        part = pivots[begin : begin + RESAMPLES_AT_ONCE]
        chosen = generator.integers(0, len(rows[0]), (len(part), len(rows[0])))
        with np.errstate(divide="ignore", invalid="ignore"):
            values, errors = estimate(*(row[chosen] for row in rows))
            part[:] = (values - value) / errors
    # Without spread a resample lies as far below as can be: all of its rows are the same, or zero.
    pivots[np.isnan(pivots)] = -np.inf
    tail = round((1 - confidence) / 2, 12)  # 0.025 and not a rounding error more, which would be the next resample
    low, high = np.quantile(pivots, [1 - tail, tail], method="inverted_cdf")
    return Interval(value, value - max(low, 0.0) * error, value - min(high, 0.0) * error)


def mean_and_error(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of `rows` (…, n) along the last axis and its standard error."""
    return rows.mean(axis=-1), rows.std(axis=-1, ddof=1) / math.sqrt(rows.shape[-1])


def log_mean(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithm of the mean of positive `rows` (…, n) and its standard error by the delta method."""
    mean, error = mean_and_error(rows)
    return np.log(mean), error / mean


def sign_flip(
    differences: np.ndarray, *, confidence: float, resamples: int, generator: np.random.Generator
) -> tuple[Interval, float]:
    """Return the mean of paired differences (n,) with its interval, and the p value that it is zero.

    Student's statistic is compared with its own under random signs: exact where two models could be exchanged row by
    row, whatever the distribution (Janssen 1999, Nonparametric bootstrap and permutation tests, Statistics and
    Probability Letters 45). Interval and p value come from the same resamples, so that they tell one story.
    """
    from scipy.stats import permutation_test

    def student(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
        mean, error = mean_and_error(np.moveaxis(first - second, axis, -1))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: np.ndarray = mean / error
        return ratio

    mean, error = (float(number) for number in mean_and_error(differences))
    if not differences.any():
        return Interval(0.0, 0.0, 0.0), 1.0
    # Flipping a sign is exchanging the two of a pair.
    flipped = permutation_test(
        (differences, np.zeros_like(differences)), student, permutation_type="samples", vectorized=True,
        n_resamples=resamples, batch=RESAMPLES_AT_ONCE, rng=generator,
    )  # fmt: skip
    drawn = np.abs(flipped.null_distribution)
    # Rounding must not part a resample from the data that it equals.
    as_far = int((drawn >= abs(flipped.statistic) * (1 - 1e-9)).sum())
    reach = float(np.quantile(drawn, confidence, method="inverted_cdf")) * error
    return Interval(mean, mean - reach, mean + reach), (as_far + 1) / (len(drawn) + 1)
