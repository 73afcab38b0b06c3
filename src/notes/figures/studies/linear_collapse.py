"""The figure of the study linear_collapse."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, GREY, MARKERS, VERMILION, canvas, legend_below, styled
from notes.studies.shared.base import Row, Verdict, column, rows_where


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show the plane with the stack's border, the bent space of the last layer, and every repetition's accuracy."""
    figure, (plane, bent, accuracy) = canvas(verdict.finding, columns=3, width=11, height=4.2)
    for axes, network in ((plane, "linear"), (bent, "activated")):
        points = rows_where(rows, part="point", network=network, repetition=0)
        for label, color in ((0, BLUE), (1, VERMILION)):
            x, y = column(points, "x", label=label), column(points, "y", label=label)
            axes.plot(x, y, MARKERS[label], color=color, markersize=3.5, alpha=0.7, label=f"class {label}")
        _border(axes, points[0])
    plane.set(title="what the linear stack sees: a line", xlabel="feature x₁", ylabel="feature x₂")
    bent.set(title="what the last layer sees: bent space", xlabel="hidden unit 1", ylabel="hidden unit 2")
    for place, network in enumerate(("linear", "activated")):
        values = 100 * column(rows, "accuracy", part="network", network=network)
        accuracy.plot([place] * len(values), values, "o", color=GREY, alpha=0.6)
        accuracy.plot([place - 0.2, place + 0.2], [values.mean()] * 2, color="black", linewidth=2)
    accuracy.set(title="every repetition, and the mean", ylabel="validation accuracy (%)", xlim=(-0.6, 1.6))
    accuracy.set_xticks([0, 1], ["linear layers", "with activation"])
    legend_below(figure, plane)
    return figure


def _border(axes: Axes, point: Row) -> None:
    # Where a·x + b·y + c is zero the network is undecided.
    limits = axes.get_xlim(), axes.get_ylim()
    a, b, c = point["a"], point["b"], point["c"]
    foot = (-a * c / (a * a + b * b), -b * c / (a * a + b * b))
    axes.axline(foot, (foot[0] - b, foot[1] + a), color="black", linewidth=1.5, label="border between the classes")
    axes.set(xlim=limits[0], ylim=limits[1])
