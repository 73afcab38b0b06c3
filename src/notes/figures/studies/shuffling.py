"""The figure of the study shuffling."""

from matplotlib.figure import Figure

from notes.figures.canvas import canvas, legend_below, series, styled
from notes.intervals import mean_interval
from notes.studies.shared.base import Row, Verdict, column, rows_where
from notes.studies.shuffling import ORDERS


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show the accuracy over the epochs for each order, and every repetition's accuracy at the end."""
    figure, (curves, ends) = canvas(verdict.finding, columns=2, width=9.5, height=4.4)
    last = max(row["epoch"] for row in rows)
    for place, (order, (color, marker)) in enumerate(series(ORDERS).items()):
        runs = rows_where(rows, order=order)
        epochs = range(1, last + 1)
        found = [mean_interval(column(runs, "accuracy", epoch=epoch)) for epoch in epochs]
        curves.plot(epochs, [f.value for f in found], color=color, marker=marker, label=ORDERS[order])
        curves.fill_between(epochs, [f.low for f in found], [f.high for f in found], color=color, alpha=0.2)
        final = column(runs, "accuracy", epoch=last)
        ends.plot([place] * len(final), final, marker, color=color, alpha=0.5)
        ends.plot([place - 0.25, place + 0.25], [final.mean()] * 2, color="black", linewidth=2)
    curves.set(title="mean with 95 % interval", xlabel="epoch", ylabel="validation accuracy (%)")
    ends.set(title=f"every repetition after epoch {last}, and the mean", xlim=(-0.6, 2.6))
    ends.set_ylabel("validation accuracy (%)")
    ends.set_xticks(range(3), ["sorted", "once", "every epoch"])
    legend_below(figure, curves)
    return figure
