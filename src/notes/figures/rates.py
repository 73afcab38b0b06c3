"""Contestants that each take the learning rate that suits them best: what every rate cost them, and what that brought.

`studies.shared.rates` runs them.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from notes.figures.canvas import series
from notes.intervals import Interval, mean_interval
from notes.studies.shared.base import Row, as_factor, choosing, column, judging, rows_where
from notes.studies.shared.rates import Case, best_rate

BESIDE = 0.12  # of the way to the next rate: contestants stand beside one another, so that none hides another
HOLLOW = "hollow: a run did not get there"


def draw_rates(axes: Axes, rows: Sequence[Row], contestants: Mapping[str, Case], cost: str) -> None:
    """Draw the column `cost` at every learning rate, of the repetitions that choose, a ring around the best rate.

    A point is the geometric mean with its 95 % interval, hollow where a run did not reach the target.
    """
    rates = sorted({row["learning_rate"] for row in rows if "learning_rate" in row})
    step = (rates[-1] / rates[0]) ** (1 / max(len(rates) - 1, 1))
    for place, (name, case, color, marker) in enumerate(_looks(contestants)):
        runs = choosing(rows_where(rows, **case))
        beside = step ** (BESIDE * (place - (len(contestants) - 1) / 2))
        found = [as_factor(mean_interval(np.log(column(runs, cost, learning_rate=rate)))) for rate in rates]
        reached = [all(column(runs, "reached", learning_rate=rate)) for rate in rates]
        places = [rate * beside for rate in rates]
        axes.plot(places, [mean.value for mean in found], color=color, linewidth=1, alpha=0.6)
        for x, mean, got_there in zip(places, found, reached, strict=True):
            _point(axes, x, mean, color, marker, hollow=not got_there)
        best = rates.index(best_rate(rows, cost, case))
        axes.plot(
            places[best], found[best].value, "o", color=color, markersize=14, fillstyle="none", markeredgewidth=1.5
        )
        axes.plot([], [], color=color, marker=marker, label=name)
    axes.set_xscale("log")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates], rotation=45)
    plain_logarithmic(axes)


def draw_best(axes: Axes, rows: Sequence[Row], contestants: Mapping[str, Case], cost: str) -> None:
    """Draw the column `cost` at the best rates, of the repetitions that judge: each run, and mean and interval."""
    for place, (_, case, color, marker) in enumerate(_looks(contestants)):
        runs = judging(rows_where(rows, **case))
        values = column(runs, cost)
        spread = np.linspace(-0.2, 0.05, len(values))
        axes.plot(place + spread, values, ".", color=color, alpha=0.4, markersize=5)
        mean = as_factor(mean_interval(np.log(values)))
        _point(axes, place + 0.22, mean, color, marker, hollow=not all(column(runs, "reached")))
    axes.set_xticks(range(len(contestants)), list(contestants))
    axes.set_xlim(-0.5, len(contestants) - 0.5)
    axes.grid(visible=False, axis="x")
    plain_logarithmic(axes)


def plain_logarithmic(axes: Axes) -> None:
    """Give the y-axis a logarithmic scale that has its numbers written out."""
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7), numticks=20))
    axes.yaxis.set_major_formatter("{x:,g}")


def _looks(contestants: Mapping[str, Case]) -> Iterator[tuple[str, Case, str, str]]:
    for name, (color, marker) in series(contestants).items():
        yield name, contestants[name], color, marker


def _point(axes: Axes, x: float, mean: Interval, color: str, marker: str, *, hollow: bool) -> None:
    ends = [[mean.value - mean.low], [mean.high - mean.value]]
    face = "white" if hollow else color
    axes.errorbar([x], [mean.value], ends, fmt=marker, color=color, markerfacecolor=face, capsize=3)
