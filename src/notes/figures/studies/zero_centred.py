"""The figure of the study zero_centred."""

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from notes.figures.canvas import GREY, canvas, legend_below, series, styled
from notes.intervals import mean_interval
from notes.studies.shared.base import Row, Verdict, column


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show every run's epochs and their mean with its interval, against the learning rate."""
    figure, (axes,) = canvas(verdict.finding, width=7.5, height=4.6)
    rates = sorted({row["learning_rate"] for row in rows})
    names = {row["network"]: row["activation"] for row in rows}
    for place, (network, (color, marker)) in enumerate(series(names).items()):
        for number, rate in enumerate(rates):
            epochs, x = column(rows, "epochs", network=network, learning_rate=rate), number + 0.22 * (place - 1)
            mean, low, high = mean_interval(epochs)
            axes.plot([x - 0.05] * len(epochs), epochs, ".", color=color, alpha=0.45)
            label = names[network] if number == 0 else None
            axes.errorbar(
                [x + 0.03], [mean], [[mean - low], [high - mean]], fmt=marker, color=color, capsize=4, label=label
            )
    if any(not row["reached"] for row in rows):
        last = max(row["epochs"] for row in rows)
        axes.axhline(last, color=GREY, linestyle="--", label="target not reached")
    axes.set(xlabel="learning rate", ylabel="epochs to the target loss", yscale="log")
    axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    legend_below(figure, axes)
    return figure
