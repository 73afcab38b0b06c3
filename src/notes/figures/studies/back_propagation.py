"""The figure of the study back_propagation."""

import math

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLACK, canvas, legend_below, series, styled
from notes.studies.shared.base import Row, Verdict, rows_where


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the distance to each judge: finite differences over their step length, and autograd."""
    figure, (axes,) = canvas(verdict.finding, width=7, height=4.6)
    for name, (color, marker) in series(dict.fromkeys(row["activation"] for row in rows)).items():
        numeric = rows_where(rows, activation=name, judge="finite differences")
        steps = sorted({row["step"] for row in numeric})
        # Not a number where too many units crossed their kink.
        found = [[value_of(row) for row in rows_where(numeric, step=step)] for step in steps]
        low, middle, high = np.nanquantile(np.array(found), [0, 0.5, 1], axis=1)
        axes.plot(steps, middle, color=color, marker=marker, label=name)
        axes.fill_between(steps, low, high, color=color, alpha=0.2, linewidth=0)
    exact = np.array([row["difference"] for row in rows_where(rows, judge="autograd")])
    typical = float(np.median(exact))
    axes.axhline(typical, color=BLACK, linestyle="--", linewidth=1.2)
    axes.text(min(steps), 1.6 * typical, "autograd: rounding alone")
    axes.set(xscale="log", yscale="log", ylim=(typical / 5, None))
    axes.set_xlabel("step of the finite difference, in units of the weights\n(median and range of the networks)")
    axes.set_ylabel("difference from the gradient by hand\n(share of the largest gradient)")
    legend_below(figure, axes)
    return figure


def value_of(row: Row) -> float:
    """Return the difference of a row, which has none where it could not be measured."""
    return math.nan if row.get("difference", "") == "" else float(row["difference"])
