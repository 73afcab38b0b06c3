"""The figure of the study logarithm."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, VERMILION, canvas, legend_below, styled
from notes.studies.logarithm import SMALLEST
from notes.studies.shared.base import Row, Verdict, column


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the share of weights whose likelihood is there (left) and the gradient at weight 0 (right)."""
    figure, (there, gradient) = canvas(verdict.finding, columns=2, width=8, height=4.6)
    lengths = sorted({row["length"] for row in rows})
    forms = (("product", "product", VERMILION, "s"), ("sum", "sum of logarithms", BLUE, "o"))
    for form, name, color, marker in forms:
        left = [100 * (1 - column(rows, "underflowed", length=n).mean()) if form == "product" else 100 for n in lengths]
        there.plot(lengths, left, color=color, marker=marker, label=name)
        slopes = [np.abs(column(rows, f"gradient_of_{form}", length=n)) for n in lengths]
        for length, values in zip(lengths, slopes, strict=True):
            shown = np.maximum(values, SMALLEST)
            gradient.scatter([length] * len(values), shown, s=10, color=color, marker=marker, alpha=0.4)
        gradient.plot(lengths, [max(np.median(values), SMALLEST) for values in slopes], color=color, marker=marker)
    there.set(xscale="log", xlabel="labels", ylabel="weights whose likelihood is\nabove the smallest number (%)")
    gradient.set(xscale="log", yscale="log", xlabel="labels (at the lower edge: exactly 0)")
    gradient.set_ylabel("gradient at weight 0, without its sign\n(line: median)")
    for axes in (there, gradient):
        axes.set_xticks(lengths, [f"{length:,}" for length in lengths], minor=False)
        axes.minorticks_off()
    legend_below(figure, there)
    return figure
