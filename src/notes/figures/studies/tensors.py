"""The figure of the study tensors."""

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from notes.figures.canvas import BLUE, ORANGE, canvas, legend_below, styled
from notes.studies.shared.base import Row, Verdict, column, rows_where


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw what Python does one by one, by size of the matrices, and where that is less with tensors."""
    figure, (axes,) = canvas(verdict.finding, width=7.5, height=4.4)
    sizes = sorted({row["size"] for row in rows})
    loops = [column(rows, "operations", size=size).max() for size in sizes]
    axes.plot(sizes, loops, color=ORANGE, marker="s", label="loops: operations")
    calls = {size: column(rows, "calls", size=size).max() for size in sizes}
    axes.plot(sizes, list(calls.values()), color=BLUE, zorder=1)
    for always, face in ((True, BLUE), (False, "none")):
        there = [size for size in sizes if all(row["faster"] for row in rows_where(rows, size=size)) == always]
        label = f"tensors: calls ({'less' if always else 'not less'} to do)"
        axes.scatter(
            there, [calls[size] for size in there], s=50, facecolors=face, edgecolors=BLUE, zorder=3, label=label
        )
    axes.set(
        xscale="log", yscale="log", xlabel="rows and columns of the two matrices", ylabel="what Python does one by one"
    )
    axes.set_xticks(sizes, [f"{size}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    legend_below(figure, axes, columns=3)
    return figure
