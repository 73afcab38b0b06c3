"""The figure of the study sigmoid_softmax."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, ORANGE, canvas, legend_below, styled
from notes.studies.shared.base import Row, Verdict, column

FLOOR = 1e-18  # where a difference of exactly 0 is drawn
CASES = (
    ("loss_difference", 1.0, "losses\nat the start"),
    ("gradient_difference", 1.0, "gradients\nat the start"),
    ("weight_difference", 1.0, "weights after training,\nequal learning rates"),
    ("weight_difference", 0.5, "weights after training,\nhalf the rate last"),
)


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw how far the two networks are apart in each respect, by optimizer."""
    figure, (axes,) = canvas(verdict.finding, width=8, height=4.6)
    optimizers = {"sgd": (BLUE, "o", "gradient descent"), "adam": (ORANGE, "s", "Adam")}
    for index, (name, share, _) in enumerate(CASES):
        for shift, (optimizer, (color, marker, label)) in zip((-0.17, 0.17), optimizers.items(), strict=True):
            values = np.maximum(column(rows, name, share=share, optimizer=optimizer), FLOOR)
            places = index + shift + np.linspace(-0.13, 0.13, len(values))
            axes.scatter(places, values, s=14, color=color, marker=marker, label=label if index == 0 else None)
    axes.set_yscale("log")
    axes.set_ylim(FLOOR / 3, 10)
    axes.set_ylabel("largest difference, a share of the\nlargest value (lower edge: exactly 0)")
    axes.set_xticks(range(len(CASES)), [label for _, _, label in CASES])
    axes.grid(visible=False, axis="x")
    legend_below(figure, axes)
    return figure
