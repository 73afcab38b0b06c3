"""The figure of the study capacity."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from notes.figures.canvas import canvas, styled
from notes.studies.capacity import best_cell, errors_of
from notes.studies.shared.base import Row, Verdict, judging


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show the mean errors of every cell, over the judging repetitions, as two heat maps with one scale of colours."""
    figure, panels = canvas(verdict.finding, columns=2, width=9.5, height=4.2)
    depths, widths = (sorted({row[name] for row in rows}) for name in ("depth", "width"))
    odd, (depth, width) = judging(rows), best_cell(rows)
    best = depths.index(depth), widths.index(width)
    grids = [
        np.array([[errors_of(odd, (depth, width), name).mean() for width in widths] for depth in depths])
        for name in ("train_error", "validation_error")
    ]
    low, high = min(grid.min() for grid in grids), max(grid.max() for grid in grids)
    for axes, grid, title in zip(panels, grids, ("training", "validation"), strict=True):
        _heat_map(axes, grid, low, high, best)
        axes.set_xticks(range(len(widths)), [str(width) for width in widths])
        axes.set_yticks(range(len(depths)), [str(depth) for depth in depths])
        axes.set(xlabel="units in a hidden layer", ylabel="hidden layers")
        axes.set_title(f"{title} error (%)  ★ chosen on other repetitions")
    return figure


def _heat_map(axes: Axes, grid: np.ndarray, low: float, high: float, best: tuple[int, ...]) -> None:
    axes.imshow(grid, cmap="cividis", vmin=low, vmax=high, aspect="auto", origin="lower")
    axes.grid(visible=False)
    for (row, place), value in np.ndenumerate(grid):
        chosen, color = (row, place) == best, "black" if value > (low + high) / 2 else "white"
        weight = "bold" if chosen else "normal"
        text = f"{value:.1f}" + " ★" * chosen
        axes.text(place, row, text, ha="center", va="center", color=color, fontweight=weight)
