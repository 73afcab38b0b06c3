"""The figure of the study mini_batches."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from notes.figures.canvas import BLUE, GREY, VERMILION, canvas, series, styled
from notes.intervals import mean_interval
from notes.studies.shared.base import Row, Verdict, choosing, column
from notes.studies.shared.rates import best_rate, judged


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show samples over the learning rate, and at each size's best rate samples and updates over the batch size."""
    figure, (rates, samples, updates) = canvas(verdict.finding, columns=3, width=12, height=4.4)
    sizes = sorted({row["batch_size"] for row in rows})
    _draw_rates(rates, rows, sizes)
    for axes, name, text in ((samples, "samples", "samples worked through"), (updates, "updates", "updates")):
        found = [judged(rows, name, {"batch_size": size}) for size in sizes]
        for size, values in zip(sizes, found, strict=True):
            axes.plot([size] * len(values), values, ".", color=GREY, alpha=0.5)
        means = [np.exp(np.log(values).mean()) for values in found]
        axes.plot(sizes, means, color=BLUE, marker="o", label="geometric mean")
        axes.plot(sizes[-1], means[-1], "s", color=VERMILION, markersize=8, label="full batch")
        axes.set(title=f"{text}, at the best rates", xlabel="batch size", xscale="log", yscale="log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        _plain_numbers(axes)
    samples.legend(loc="upper left")
    return figure


def _draw_rates(axes: Axes, rows: list[Row], sizes: list[int]) -> None:
    rates = sorted({row["learning_rate"] for row in rows})
    names = {f"all {size}" if size == sizes[-1] else f"batches of {size}": size for size in sizes}
    for (name, size), (color, marker) in zip(names.items(), series(names).values(), strict=True):
        logarithms = [np.log(column(choosing(rows), "samples", batch_size=size, learning_rate=rate)) for rate in rates]
        value, low, high = (np.exp(ends) for ends in zip(*map(mean_interval, logarithms), strict=True))
        axes.plot(rates, value, color=color, marker=marker, label=name)
        axes.fill_between(rates, low, high, color=color, alpha=0.2)
        best = rates.index(best_rate(rows, "samples", {"batch_size": size}))
        axes.plot(rates[best], value[best], "o", color=color, markersize=14, fillstyle="none", markeredgewidth=1.5)
    axes.set(title="samples to the target accuracy", xlabel="learning rate (ring: the best one)")
    axes.set(xscale="log", yscale="log", ylabel="geometric mean, 95 % interval")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates], rotation=45)
    _plain_numbers(axes)
    axes.legend(fontsize=9)


def _plain_numbers(axes: Axes) -> None:
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:,g}")
