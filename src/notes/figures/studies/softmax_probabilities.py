"""The figure of the study softmax_probabilities."""

import math

from matplotlib.figure import Figure

from notes.figures.canvas import GREY, canvas, legend_below, series, styled
from notes.studies.shared.base import Row, Verdict, column


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show both errors and the share of losses that are numbers, against the size of the logits."""
    figure, panels = canvas(verdict.finding, columns=3, width=11, height=4.2)
    scales = sorted({row["scale"] for row in rows})
    texts = {
        "sum_error": "worst |sum of probabilities - 1|",
        "loss_error": "worst |cross-entropy - log loss|, relative",
        "finite_losses": "losses that are finite numbers (%)",
    }
    for axes, (quantity, text) in zip(panels, texts.items(), strict=True):
        for form, (color, marker) in series(dict.fromkeys(dict.fromkeys(row["form"] for row in rows))).items():
            values = [column(rows, quantity, form=form, scale=scale) for scale in scales]
            if quantity == "finite_losses":
                axes.plot(scales, [100 * value.mean() for value in values], color=color, marker=marker, label=form)
                continue
            # An error that is infinite has no place on the axis: the line ends where the form does.
            shown = [max(value.max(), 1e-9) if math.isfinite(value.max()) else math.nan for value in values]
            axes.plot(scales, shown, color=color, marker=marker, label=form)
        if quantity != "finite_losses":
            axes.axhline(1e-6, color=GREY, linestyle="--", label="1e-6")
            axes.set(yscale="log", ylim=(1e-8, 1e-5))
        axes.set(title=text, xlabel="largest logit, ±", xscale="log")
        axes.xaxis.set_major_formatter("{x:g}")
    legend_below(figure, panels[0])
    return figure
