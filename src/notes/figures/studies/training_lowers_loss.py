"""The figure of the study training_lowers_loss."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import canvas, legend_below, series, styled
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.training_lowers_loss import PARTS


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the median loss over the epochs (left) and how often it rises (right), by learning rate."""
    figure, (curves, raised) = canvas(verdict.finding, columns=2, width=8, height=4.8)
    rates = sorted({row["learning_rate"] for row in rows})
    epochs = sorted({row["epoch"] for row in rows if row["kind"] == "loss"})
    for rate, (color, _) in zip(rates, series({f"{rate:g}": 0 for rate in rates}).values(), strict=True):
        losses = [column(rows, "loss", kind="loss", learning_rate=rate, epoch=epoch) for epoch in epochs]
        curves.plot(epochs, [np.median(values) for values in losses], color=color, label=f"learning rate {rate:g}")
        for place, part in enumerate(PARTS):
            values = column(rows, part, kind="raised", learning_rate=rate)
            shift = 0.19 * (rates.index(rate) - (len(rates) - 1) / 2)
            raised.bar(place + shift, values.mean(), width=0.17, color=color)
    curves.set(yscale="log", xlabel="epoch", ylabel="loss of all training rows (median)")
    raised.set_xticks(range(len(PARTS)), PARTS.values())
    raised.set_ylabel("share that raises the loss (%)")
    raised.grid(visible=False, axis="x")
    legend_below(figure, curves)
    return figure
