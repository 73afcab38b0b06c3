"""Whether a metric became better or worse, and whether that is more than chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import NormalDist, fmean, stdev

from provenn.metric_files import better_end

LEVEL = 0.05  # below this a p-value is no chance
FEWEST_ROWS = 30  # for the normal approximation
BETTER, WORSE, UNCLEAR = "better", "worse", "cannot tell"
CHANGED, NEW, GONE, MISSING = "changed", "new", "gone", "missing"
_ORDER = (WORSE, BETTER, UNCLEAR, MISSING, CHANGED, NEW, GONE)

Interval = tuple[float, float]


@dataclass(frozen=True)
class Metric:
    """A metric that is not the same on both sides, None where it is missing, and what was found about it.

    `direction` is 1 when more is better, -1 when less is, 0 when nobody says. `p_value` is that of a paired `test`.
    `decides` tells whether it counts for the verdict on the whole change.
    """

    stage: str
    name: str
    before: float | str | None
    after: float | str | None
    direction: int = 0
    decides: bool = False
    p_value: float | None = None
    test: str = ""
    intervals: tuple[Interval, Interval] | None = None
    judgement: str = ""
    rule: str = ""

    @property
    def difference(self) -> float | None:
        """After minus before; None where one of them is no number."""
        both = isinstance(self.before, float) and isinstance(self.after, float)
        return self.after - self.before if both else None  # type: ignore[operator]


def direction(name: str, headline: dict[str, str]) -> int:
    """Return 1 when more is better, -1 when less is, 0 when neither the headline nor the name says."""
    end = headline.get(name) or better_end(name)
    return {"maximize": 1, "minimize": -1, None: 0}[end]


def mcnemar(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the two-sided exact p-value of McNemar's test; a row is 1 where a side was wrong, else 0."""
    only_before = sum(one < other for one, other in zip(before, after, strict=True))
    only_after = sum(one > other for one, other in zip(before, after, strict=True))
    rows = only_before + only_after
    tail = sum(math.comb(rows, count) for count in range(min(only_before, only_after) + 1))
    return min(1.0, float(Fraction(2 * tail, 2**rows)))


def paired_normal(before: Sequence[float], after: Sequence[float]) -> float | None:
    """Return the two-sided p-value that a row's loss is the same on both sides in the mean; None for too few rows."""
    differences = [other - one for one, other in zip(before, after, strict=True)]
    if len(differences) < FEWEST_ROWS:
        return None
    mean, error = fmean(differences), stdev(differences) / math.sqrt(len(differences))
    if error == 0:
        return 0.0 if mean else 1.0
    return 2 * (1 - NormalDist().cdf(abs(mean) / error))


def judge(metrics: Sequence[Metric]) -> list[Metric]:
    """Return the metrics with judgement and rule, what matters most first.

    The p-values of all of them are corrected together, by Holm.
    """
    tested = sorted((metric.p_value, place) for place, metric in enumerate(metrics) if metric.p_value is not None)
    corrected: dict[int, float] = {}
    largest = 0.0
    for rank, (p_value, place) in enumerate(tested):
        largest = max(largest, min(1.0, p_value * (len(tested) - rank)))
        corrected[place] = largest
    judged = [_judged(metric, corrected.get(place), len(tested)) for place, metric in enumerate(metrics)]
    return sorted(judged, key=lambda metric: (not metric.decides, _ORDER.index(metric.judgement)))


def _judged(metric: Metric, p_value: float | None, tests: int) -> Metric:
    if metric.before is None and metric.after is None:
        return replace(metric, judgement=MISSING, rule="the file is nowhere")
    if metric.before is None or metric.after is None:
        return replace(metric, judgement=NEW if metric.before is None else GONE)
    if metric.difference is None:
        return replace(metric, judgement=CHANGED, rule="text")
    if p_value is not None:
        real = p_value < LEVEL
        rule = f"{metric.test}, p = {p_value:.2g}{f' (Holm, {tests} tests)' if tests > 1 else ''}"
    elif metric.intervals is not None:
        (low, high), (new_low, new_high) = metric.intervals
        real = high < new_low or new_high < low
        rule = "intervals apart" if real else "intervals overlap"
    else:
        real, rule = False, "no interval, no paired rows"
    if metric.direction == 0:
        return replace(metric, judgement=CHANGED, rule="direction unknown")
    improved = (metric.difference > 0) == (metric.direction > 0)
    return replace(metric, judgement=(BETTER if improved else WORSE) if real else UNCLEAR, rule=rule)
