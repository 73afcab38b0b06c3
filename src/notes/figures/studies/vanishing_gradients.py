"""The figure of the study vanishing_gradients."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from notes.figures.canvas import GREY, canvas, legend_below, series, styled
from notes.intervals import mean_interval
from notes.studies.shared.base import Row, Verdict, rows_where
from notes.studies.vanishing_gradients import STARTS, VANISHED, decades, decades_passed


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show what is left of the gradient over the depth, a panel a start, and over the size of a unit's inputs."""
    figure, panels = canvas(verdict.finding, columns=3, width=12, height=4.4)
    activations = series(dict.fromkeys(str(row["activation"]) for row in rows))
    depths = sorted({row["depth"] for row in rows_where(rows, part="depth")})
    sizes = sorted({row["size"] for row in rows_where(rows, part="size")})
    for name, (color, marker) in activations.items():
        style = {"color": color, "marker": marker, "label": name}
        for axes, start in zip(panels, STARTS, strict=False):
            _line(axes, depths, [decades(rows, name, start, depth) for depth in depths], style)
        _line(panels[2], sizes, [decades_passed(rows, name, size) for size in sizes], style)
    for axes, title in zip(panels, [*STARTS.values(), "one layer of units"], strict=True):
        axes.axhline(10**VANISHED, color=GREY, linestyle="--", label="a hundredth: vanished below")
        axes.set(title=title, xlabel="hidden layers", yscale="log")
    low = min(axes.get_ylim()[0] for axes in panels[:2])
    for axes in panels[:2]:
        axes.set(ylim=(low, 10), xticks=depths)
    panels[2].set(xlabel="size of a unit's input, ±", xscale="log")
    panels[2].set_xticks(sizes, [f"{size:g}" for size in sizes])
    panels[2].minorticks_off()
    panels[0].set_ylabel("gradient norm, first ÷ last layer")
    panels[2].set_ylabel("share of the gradient that passes back")
    legend_below(figure, panels[0])
    return figure


def _line(axes: Axes, x: list[float], logarithms: list[np.ndarray], style: dict[str, Any]) -> None:
    value, low, high = (10 ** np.array(ends) for ends in zip(*map(mean_interval, logarithms), strict=True))
    axes.plot(x, value, **style)
    axes.fill_between(x, low, high, color=style["color"], alpha=0.25)
