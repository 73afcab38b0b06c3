"""The figure of the study differentiable."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, GREY, canvas, legend_below, styled
from notes.studies.shared.base import Row, Verdict, column


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the accuracy of each run with its hidden layer frozen and trained, joined by a line."""
    figure, (axes,) = canvas(verdict.finding, width=7.5, height=4.6)
    names = list(dict.fromkeys(row["activation"] for row in rows))
    for index, name in enumerate(names):
        frozen, trained = (column(rows, kind, activation=name) for kind in ("frozen", "trained"))
        places = index + np.linspace(-0.3, 0.3, len(frozen))
        axes.vlines(places, frozen, trained, color=GREY, linewidth=0.7)
        for values, color, marker, label in (
            (frozen, GREY, "s", "hidden layer frozen at its start"),
            (trained, BLUE, "o", "hidden layer trained"),
        ):
            axes.scatter(
                places, values, s=16, color=color, marker=marker, zorder=3, label=label if index == 0 else None
            )
    labels = {"relu": "ReLU", "step, sigmoid's slope": "step with a\nsigmoid's slope"}
    axes.set_xticks(range(len(names)), [labels.get(name, name) for name in names])
    axes.set_ylabel("right on new points (%)")
    axes.grid(visible=False, axis="x")
    legend_below(figure, axes)
    return figure
