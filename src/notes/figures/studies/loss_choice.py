"""The figure of the study loss_choice."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from notes.figures.canvas import canvas, legend_below, series, styled
from notes.intervals import mean_interval
from notes.studies.loss_choice import MARGINS, runs_of
from notes.studies.shared.base import Row, Verdict, choosing, column, rows_where
from notes.studies.shared.rates import best_rate


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the gradient over the margin (left) and the epochs to the target over the learning rate (right)."""
    figure, (gradients, training) = canvas(verdict.finding, columns=2, width=9.5, height=4.8)
    for name, (color, marker) in series(dict.fromkeys(str(row["loss"]) for row in rows)).items():
        curve = rows_where(rows, kind="gradient", loss=name)[: len(MARGINS)]  # equal for all seeds
        gradients.plot(
            column(curve, "margin"), column(curve, "gradient"), color=color, marker=marker, markersize=3.5, label=name
        )
        runs = choosing(rows_where(rows, **runs_of(name)))
        rates = sorted({row["learning_rate"] for row in runs})
        logarithms = [np.log(column(runs, "epochs", learning_rate=rate)) for rate in rates]
        value, low, high = (np.exp(ends) for ends in zip(*map(mean_interval, logarithms), strict=True))
        training.plot(rates, value, color=color, marker=marker)
        training.fill_between(rates, low, high, color=color, alpha=0.2)
        best = rates.index(best_rate(runs, "epochs", {}))
        training.plot(rates[best], value[best], "o", color=color, markersize=14, fillstyle="none", markeredgewidth=1.5)
    gradients.set(yscale="log", ylim=(1e-5, 100), ylabel="length of the gradient at the logits")
    gradients.set_xlabel("logit of the right class minus that of the wrong one\n(left: a sure mistake)")
    training.set(xscale="log", yscale="log", ylabel="epochs to the accuracy target\n(geometric mean, 95 % interval)")
    training.set_xlabel("learning rate of Adam\n(ring: the best one; top: target not reached)")
    training.set_xticks(rates, [f"{rate:g}" for rate in rates])
    training.minorticks_off()
    training.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    training.yaxis.set_major_formatter("{x:g}")
    legend_below(figure, gradients)
    return figure
