"""The figure of the study zero_centred."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from notes.figures.canvas import GREY, canvas, legend_below, series, styled
from notes.intervals import mean_interval
from notes.studies.shared.base import Row, Verdict, choosing, column
from notes.studies.shared.rates import best_rate


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show the updates to the target over the learning rate, mean and interval, a ring around each network's best."""
    figure, (axes,) = canvas(verdict.finding, width=8, height=4.8)
    rates = sorted({row["learning_rate"] for row in rows})
    names = {str(row["network"]): str(row["activation"]) for row in rows}
    for network, (color, marker) in series(names).items():
        logarithms = [np.log(column(choosing(rows), "updates", network=network, learning_rate=rate)) for rate in rates]
        value, low, high = (np.exp(ends) for ends in zip(*map(mean_interval, logarithms), strict=True))
        axes.plot(rates, value, color=color, marker=marker, label=names[network])
        axes.fill_between(rates, low, high, color=color, alpha=0.2)
        best = rates.index(best_rate(rows, "updates", {"network": network}))
        axes.plot(rates[best], value[best], "o", color=color, markersize=14, fillstyle="none", markeredgewidth=1.5)
    if not all(row["reached"] for row in rows):
        last = max(row["updates"] for row in rows)
        axes.axhline(last, color=GREY, linestyle="--", label="target not reached")
    axes.set(xscale="log", yscale="log", xlabel="learning rate (ring: the best one)")
    axes.set_ylabel("updates to the target loss\n(geometric mean, 95 % interval)")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    legend_below(figure, axes)
    return figure
