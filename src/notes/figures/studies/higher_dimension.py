"""The figure of the study higher_dimension."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, GREY, ORANGE, canvas, legend_below, styled
from notes.studies.higher_dimension import MAPS, mean_accuracy
from notes.studies.shared.base import Row, Verdict, column


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw every run's accuracy and their mean, by map and its dimensions."""
    figure, (axes,) = canvas(verdict.finding, width=7.5, height=4.6)
    cases = list(dict.fromkeys((row["map"], row["dimensions"]) for row in rows))
    colors = {"none": (GREY, "D", "the points themselves"), "linear": (ORANGE, "s", MAPS["linear"])}
    colors["bent"] = (BLUE, "o", MAPS["bent"])
    for index, (kind, width) in enumerate(cases):
        color, marker, label = colors[kind]
        values = column(rows, "accuracy", map=kind, dimensions=width)
        first = cases.index(next(case for case in cases if case[0] == kind)) == index
        axes.scatter(
            index + np.linspace(-0.25, 0.25, len(values)), values, s=14, color=color, marker=marker, alpha=0.6,
            label=label if first else None,
        )  # fmt: skip
        axes.hlines(mean_accuracy(rows, kind, width).value, index - 0.35, index + 0.35, color=color, linewidth=2)
    axes.set_xticks(range(len(cases)), [f"{width}" for _, width in cases])
    axes.set(xlabel="dimensions in which a linear classifier works (line: mean)", ylabel="right on new points (%)")
    axes.grid(visible=False, axis="x")
    legend_below(figure, axes)
    return figure
