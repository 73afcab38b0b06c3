"""The figure of the study closed_form."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLACK, BLUE, GREY, ORANGE, canvas, styled
from notes.studies.shared.base import Row, Verdict, column


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the iterations of descent (left) and the distances from the normal equations (right) over κ."""
    figure, (steps, distances) = canvas(verdict.finding, columns=2, width=7.5, height=4.2)
    conditions = column(rows, "condition_number")
    iterations = column(rows, "iterations")
    steps.scatter(conditions, iterations, s=18, color=BLUE, alpha=0.6, linewidths=0, zorder=3)
    grid = np.array([conditions.min(), conditions.max()])
    # Through the hardest data, where the flattest direction alone decides.
    slope = np.median(iterations[conditions == conditions.max()]) / conditions.max()
    steps.plot(grid, slope * grid, color=BLACK, linestyle="--", linewidth=1.2, label="in proportion to κ")
    steps.legend(loc="upper left")
    steps.set(ylabel="iterations of descent")
    smallest = np.finfo(np.float64).eps
    for name, label, color, marker in (
        ("descent_distance", "gradient descent", BLUE, "o"),
        ("scikit_learn_distance", "scikit-learn", ORANGE, "s"),
    ):
        values = np.maximum(column(rows, name), smallest / 10)
        distances.scatter(conditions, values, s=18, color=color, marker=marker, alpha=0.6, linewidths=0, label=label)
    distances.axhline(smallest, color=GREY, linestyle=":", linewidth=1.2, label="rounding of one number")
    distances.set(ylabel="distance from the normal equations\n(share of the largest coefficient)")
    distances.legend(loc="center right")
    for axes in (steps, distances):
        axes.set(xscale="log", yscale="log", xlabel="condition number κ of XᵀX")
    return figure
