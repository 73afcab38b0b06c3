"""Pictures of a training run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from notes.figures.canvas import BLUE, GREY, VERMILION, canvas, legend_below, styled
from notes.files import UserError

# A loss that falls by more than this factor hides its end on a linear axis.
FALL_FOR_LOGARITHM = 20


@styled
def learning_curves(
    history: Sequence[Mapping[str, Any]],
    title: str,
    metrics: Sequence[str] = ("loss", "accuracy"),
    best_epoch: int | None = None,
) -> Figure:
    """Draw train against validation, a panel a metric that the history holds.

    `history` has a row an epoch: epoch, and any of train/<metric> and val/<metric>, as numbers or as text from a CSV.
    The epoch marked is `best_epoch`, by default the one with the lowest val/loss. Raises UserError when nothing
    is there to draw.
    """
    present = [metric for metric in metrics if history and {f"train/{metric}", f"val/{metric}"} & set(history[0])]
    if not present:
        raise UserError(f"The history holds none of {', '.join(metrics)}: train for at least one epoch.")
    epochs = np.array([int(row["epoch"]) for row in history])
    if best_epoch is None and "val/loss" in history[0]:
        best_epoch = int(epochs[np.argmin(_column(history, "val/loss"))])
    figure, panels = canvas(title, columns=len(present), width=4 * len(present) if len(present) > 1 else 6.5, height=4)
    for axes, metric in zip(panels, present, strict=True):
        _curves(axes, history, epochs, metric)
        if best_epoch is not None:
            axes.axvline(best_epoch, color=GREY, linestyle=":", label=f"best validation epoch: {best_epoch:,}")
    legend_below(figure, max(panels, key=lambda axes: len(axes.get_lines())))
    return figure


@styled
def descent(history: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Draw the loss of train and validation, and the largest gradient, over the iterations of gradient descent.

    `history` has epoch (the iteration), train/loss, val/loss and train/largest_gradient. Iterations are on a
    logarithmic axis, because the loss falls geometrically.
    """
    figure, (losses, gradients) = canvas(title, columns=2, width=8, height=4)
    iterations = np.array([int(row["epoch"]) for row in history])
    _curves(losses, history, iterations, "loss")
    gradients.plot(iterations, _column(history, "train/largest_gradient"), color=BLUE, linewidth=2)
    gradients.set_yscale("log")
    gradients.set(ylabel="largest gradient")
    for axes in (losses, gradients):
        axes.set_xscale("log")
        axes.set_xlabel("iteration")
        axes.xaxis.set_major_formatter("{x:g}")
    legend_below(figure, losses)
    return figure


def _curves(axes: Axes, history: Sequence[Mapping[str, Any]], epochs: np.ndarray, metric: str) -> None:
    lowest, highest = np.inf, -np.inf
    for split, label, color, width in (("train", "train", BLUE, 2.6), ("val", "validation", VERMILION, 1.4)):
        if f"{split}/{metric}" in history[0]:
            values = _column(history, f"{split}/{metric}")
            marker = "o" if len(epochs) <= 30 else ""
            axes.plot(epochs, values, color=color, linewidth=width, marker=marker, markersize=3.5, label=label)
            lowest, highest = min(lowest, values.min()), max(highest, values.max())
    if metric == "loss" and highest > FALL_FOR_LOGARITHM * lowest > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set(xlabel="epoch", ylabel=metric)


def _column(history: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in history])
