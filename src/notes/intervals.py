"""A mean of repetitions and how sure it is: Student's interval, for studies and for networks of several seeds."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Interval(NamedTuple):
    """An estimate with the two ends of its confidence interval."""

    value: float
    low: float
    high: float


def metrics_of_interval(model: str, metric: str, found: Interval) -> dict[str, float]:
    """Return an interval as metrics of a model: the estimate, and under another heading, for a chart, its ends.

    `interval_of` reads them back.
    """
    names = (f"test/{metric}", f"test_interval/{metric}_low", f"test_interval/{metric}_high")
    return {f"{model}/{name}": float(value) for name, value in zip(names, found, strict=True)}


def interval_of(metrics: Mapping[str, float], model: str, metric: str) -> Interval:
    """Return the interval that `metrics_of_interval` put among the metrics."""
    return Interval(*(metrics[name] for name in metrics_of_interval(model, metric, Interval(0, 0, 0))))


def mean_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean of independent values (n,) with Student's t interval; one value, or equal ones, three times."""
    # The quantile of scipy.stats, without the half second that importing that takes.
    from scipy.special import stdtrit

    sample = np.asarray(values, dtype=np.float64)
    mean = float(sample.mean())
    if len(sample) < 2 or np.ptp(sample) == 0:
        return Interval(mean, mean, mean)
    margin = float(stdtrit(len(sample) - 1, (1 + confidence) / 2) * sample.std(ddof=1) / np.sqrt(len(sample)))
    return Interval(mean, mean - margin, mean + margin)


def paired_interval(first: npt.ArrayLike, second: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean of first - second, pair by pair (n,), with Student's t interval."""
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    return mean_interval(differences, confidence)
