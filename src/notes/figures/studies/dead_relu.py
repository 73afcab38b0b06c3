"""The figure of the study dead_relu."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from notes.figures.canvas import MARKERS, SERIES, canvas, legend_below, styled
from notes.intervals import mean_interval
from notes.studies.shared.base import Row, Verdict, column, rows_where


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show the mean share of dead units over training, a panel an activation, a line a learning rate."""
    figure, panels = canvas(verdict.finding, columns=2, width=9, height=4.4, share=True)
    rates = sorted({row["learning_rate"] for row in rows})
    names = {row["network"]: row["activation"] for row in rows}
    for axes, (network, name) in zip(panels, names.items(), strict=True):
        for rate, color, marker in zip(rates, SERIES, MARKERS, strict=False):
            runs = rows_where(rows, network=network, learning_rate=rate)
            epochs = sorted({row["epoch"] for row in runs})
            found = [mean_interval(100 * column(runs, "dead", epoch=epoch)) for epoch in epochs]
            label = f"learning rate {rate:g}"
            axes.plot(epochs, [f.value for f in found], color=color, marker=marker, markevery=5, label=label)
            axes.fill_between(epochs, [f.low for f in found], [f.high for f in found], color=color, alpha=0.2)
        axes.set(title=name, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    panels[0].set_ylabel("hidden units without gradient (%)")
    legend_below(figure, panels[0])
    return figure
