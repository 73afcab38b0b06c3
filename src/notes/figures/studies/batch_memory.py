"""The figure of the study batch_memory."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, GREY, ORANGE, canvas, legend_below, styled
from notes.intervals import mean_interval
from notes.studies.batch_memory import at_best_rate
from notes.studies.shared.base import Row, Verdict


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the bytes that training holds (left) and the accuracy that it reaches (right), by batch size."""
    figure, (memory, accuracy) = canvas(verdict.finding, columns=2, width=8, height=4.6)
    sizes = sorted({row["batch_size"] for row in rows})
    for index, size in enumerate(sizes):
        weights, kept = (at_best_rate(rows, size, f"bytes_{part}").max() / 1e6 for part in ("of_weights", "kept"))
        first = index == 0
        memory.bar(index, weights, color=GREY, label="weights, gradients, Adam's averages" if first else None)
        memory.bar(index, kept, bottom=weights, color=ORANGE, label="kept for the backward pass" if first else None)
        values = at_best_rate(rows, size, "accuracy")
        mean, low, high = mean_interval(values)
        accuracy.scatter(index - 0.1 + np.linspace(-0.15, 0.15, len(values)), values, s=12, color=BLUE, alpha=0.5)
        accuracy.errorbar([index + 0.25], [mean], [[mean - low], [high - mean]], fmt="o", color=BLUE, capsize=4)
    labels = [*(f"{size}" for size in sizes[:-1]), f"all {sizes[-1]}"]
    for axes in (memory, accuracy):
        axes.set_xticks(range(len(sizes)), labels)
        axes.set_xlabel("rows in a batch")
        axes.grid(visible=False, axis="x")
    memory.set_ylabel("MB while training")
    accuracy.set_ylabel("right on validation digits (%)\n(bar: 95 % interval)")
    legend_below(figure, memory)
    return figure
