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
        for repetition in sorted({row["repetition"] for row in numeric}):
            found = (rows_where(numeric, repetition=repetition, step=step)[0].get("difference", "") for step in steps)
            one = [math.nan if value == "" else value for value in found]  # too many units crossed their kink
            label = name if repetition == 0 else None
            axes.plot(steps, one, color=color, marker=marker, markersize=3.5, linewidth=0.7, alpha=0.5, label=label)
    exact = np.array([row["difference"] for row in rows_where(rows, judge="autograd")])
    typical = float(np.median(exact))
    axes.axhline(typical, color=BLACK, linestyle="--", linewidth=1.2)
    axes.text(min(steps), 1.6 * typical, "autograd: rounding alone")
    axes.set(xscale="log", yscale="log", ylim=(typical / 5, None))
    axes.set_xlabel("step of the finite difference, in units of the weights (a line a network)")
    axes.set_ylabel("difference from the gradient by hand\n(share of the largest gradient)")
    legend_below(figure, axes)
    return figure
