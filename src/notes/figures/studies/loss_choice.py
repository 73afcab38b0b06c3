"""The figure of the study loss_choice."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import canvas, legend_below, series, styled
from notes.studies.shared.base import Row, Verdict, column, rows_where


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the gradient over the margin (left) and the epochs to the target over the learning rate (right)."""
    figure, (gradients, training) = canvas(verdict.finding, columns=2, width=8, height=4.8)
    for index, (name, (color, marker)) in enumerate(series(dict.fromkeys(row["loss"] for row in rows)).items()):
        curve = rows_where(rows, kind="gradient", loss=name)
        gradients.plot(
            column(curve, "margin"), column(curve, "gradient"), color=color, marker=marker, markersize=3.5, label=name
        )
        runs = rows_where(rows, kind="training", loss=name)
        rates = sorted({row["learning_rate"] for row in runs})
        repetitions = len({row["repetition"] for row in runs})
        epochs = [np.exp(np.log(column(runs, "epochs", learning_rate=rate)).mean()) for rate in rates]
        # Side by side, loss by loss and run by run: whole epochs would hide each other.
        side = 1 + 0.2 * (index - 1)
        training.plot(np.array(rates) * side, epochs, color=color, linewidth=1, alpha=0.6)
        for reached, face in ((True, color), (False, "none")):
            chosen = rows_where(runs, reached=reached)
            x = column(chosen, "learning_rate") * (side + 0.015 * (column(chosen, "repetition") - repetitions / 2))
            training.scatter(x, column(chosen, "epochs"), s=16, marker=marker, facecolors=face, edgecolors=color)
    gradients.set(yscale="log", ylim=(1e-5, 100), ylabel="length of the gradient at the logits")
    gradients.set_xlabel("logit of the right class minus that of the wrong one\n(left: a sure mistake)")
    training.set(xscale="log", ylabel="epochs to the accuracy target")
    training.set_xlabel("learning rate of Adam\n(line: mean; hollow: target not reached)")
    legend_below(figure, gradients)
    return figure
