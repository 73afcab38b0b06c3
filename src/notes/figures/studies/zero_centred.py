"""The figure of the study zero_centred."""

from matplotlib.figure import Figure

from notes.figures.canvas import GREY, canvas, legend_below, styled
from notes.figures.rates import HOLLOW, draw_rates
from notes.studies.shared.base import Row, Verdict


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show the updates to the target over the learning rate, mean and interval, a ring around each network's best."""
    figure, (axes,) = canvas(verdict.finding, width=8, height=4.8)
    networks = {str(row["activation"]): {"network": row["network"]} for row in rows}
    draw_rates(axes, rows, networks, "updates")
    if not all(row["reached"] for row in rows):
        last = max(row["updates"] for row in rows)
        axes.axhline(last, color=GREY, linestyle="--", label="target not reached")
    axes.set_xlabel(f"learning rate (ring: the best one; {HOLLOW})")
    axes.set_ylabel("updates to the target loss\n(geometric mean, 95 % interval)")
    legend_below(figure, axes)
    return figure
