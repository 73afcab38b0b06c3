"""The figure of the study polynomial_degree."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from notes.figures.canvas import BLUE, GREEN, GREY, ORANGE, VERMILION, canvas, styled
from notes.studies.polynomial_degree import best_degree
from notes.studies.shared.base import Row, Verdict, column, rows_where


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw curves through the first training set (left) and the errors over the degree (right)."""
    figure, (curves, errors) = canvas(verdict.finding, columns=2, width=8, height=4.6)
    points = rows_where(rows, kind="train row", repetition=0)
    y = column(points, "y")
    curves.scatter(column(points, "x"), y, s=20, color=GREY, linewidths=0, label="training rows", zorder=3)
    measured = rows_where(rows, kind="error")
    degrees = sorted({row["degree"] for row in measured})
    best = best_degree(rows)
    for degree, color, style in zip(
        dict.fromkeys((1, best, degrees[-1])), (ORANGE, BLUE, VERMILION), ("-.", "-", "--"), strict=False
    ):
        line = rows_where(rows, kind="curve", degree=degree, repetition=0)
        curves.plot(column(line, "x"), column(line, "y"), color=color, linestyle=style, label=f"degree {degree}")
    margin = 0.3 * np.ptp(y)
    curves.set(xlabel="feature x", ylabel="target y", ylim=(y.min() - margin, y.max() + margin))
    curves.legend(loc="upper left", fontsize=9)
    for name, label, color, marker in (
        ("train_rmse", "training rows", GREY, "o"),
        ("validation_rmse", "new rows (validation)", GREEN, "s"),
    ):
        runs = np.array([column(measured, name, degree=degree) for degree in degrees])
        middle = np.exp(np.log(runs).mean(axis=1))
        errors.plot(degrees, middle, color=color, marker=marker, markersize=4, label=label)
        errors.fill_between(degrees, *np.quantile(runs, (0.1, 0.9), axis=1), color=color, alpha=0.2, linewidth=0)
    errors.axvline(best, color=BLUE, linestyle=":", label=f"best degree: {best}")
    errors.set(yscale="log", xlabel="degree (band: middle 80 % of the training sets)", ylabel="RMSE, in units of y")
    errors.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    errors.legend(loc="upper center", fontsize=9)
    return figure
