"""The figure of the study squared_error_measure."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, GREEN, ORANGE, canvas, styled
from notes.intervals import mean_interval
from notes.studies.shared.base import Row, Verdict, column, rows_where

NAMES = {"squared_error": "squared error", "log_loss": "log loss", "accuracy": "accuracy"}


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the losses of all classifiers over their accuracy (left), and how well each measure ranks them (right)."""
    figure, (losses, ranks) = canvas(verdict.finding, columns=2, width=8, height=4.6)
    classifiers = rows_where(rows, kind="classifier")
    for measure, color, marker in (("log_loss", ORANGE, "s"), ("squared_error", BLUE, "o")):
        accuracy = 100 * column(classifiers, "accuracy")
        losses.scatter(accuracy, column(classifiers, measure), s=12, color=color, marker=marker, label=NAMES[measure])
    losses.set(xlabel="accuracy on many digits (%)", ylabel="loss on many digits")
    losses.legend()
    colors = {"squared_error": (BLUE, "o"), "log_loss": (ORANGE, "s"), "accuracy": (GREEN, "^")}
    for index, (measure, (color, marker)) in enumerate(colors.items()):
        tau = column(rows, "tau", kind="measure", measure=measure)
        mean, low, high = mean_interval(tau)
        ranks.scatter(
            index - 0.1 + np.linspace(-0.15, 0.15, len(tau)), tau, s=14, color=color, alpha=0.5, marker=marker
        )
        ranks.errorbar([index + 0.25], [mean], [[mean - low], [high - mean]], fmt=marker, color=color, capsize=4)
    ranks.set_xticks(range(len(NAMES)), NAMES.values())
    ranks.set_ylabel("Kendall's τ, few digits against many\n(1: the same order; bar: 95 % interval)")
    ranks.grid(visible=False, axis="x")
    return figure
