"""Squared error against log loss for one sigmoid output, and how hard each pulls: section 7 of the notes.

With p = sigmoid(z) and label y the gradients by z are 2 (p - y) p (1 - p) and p - y: the squared error's has the
sigmoid's slope as a factor, which is next to 0 where the neuron is sure, the more so where it is surely wrong.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.nn import functional

from notes.book.pictures import png
from notes.figures.canvas import BLUE, VERMILION, canvas, styled

START = -4.0


def compute(_root: Path) -> dict[str, Any]:
    """Return where to start, reference values (a row a z and label), and the picture."""
    reference = [
        {"z": z, "label": label} | {name: values.item() for name, values in answers(np.array([z]), label).items()}
        for label in (0, 1)
        for z in np.linspace(-8, 8, 17).tolist()
    ]
    data = {"start": {"z": START, "label": 1}, "reference": reference}
    return {"data.json": data, "picture.png": png(draw())}


def answers(z: np.ndarray, label: int) -> dict[str, np.ndarray]:
    """Return p, both losses and both gradients by z, each (n,), for z (n,), by torch and its autograd."""
    inputs = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    target = torch.full_like(inputs, float(label))
    squared = functional.mse_loss(torch.sigmoid(inputs), target, reduction="none")
    log = functional.binary_cross_entropy_with_logits(inputs, target, reduction="none")
    slopes = {name: torch.autograd.grad(loss.sum(), inputs)[0] for name, loss in (("squared", squared), ("log", log))}
    found = {
        "p": torch.sigmoid(inputs),
        "squared_error": squared,
        "log_loss": log,
        "squared_error_slope": slopes["squared"],
        "log_loss_slope": slopes["log"],
    }
    return {name: values.detach().numpy() for name, values in found.items()}


@styled
def draw() -> Figure:
    """Show both losses for the label 1, and their gradients beside them."""
    title = "Surely wrong, the squared error hardly pulls; the log loss does (label 1)"
    figure, (left, right) = canvas(title, columns=2, width=8, height=3.5)
    z = np.linspace(-8, 8, 321)
    found = answers(z, 1)
    for axes, kind, label in ((left, "", "loss"), (right, "_slope", "gradient by z")):
        axes.plot(z, found[f"log_loss{kind}"], color=BLUE, label="log loss")
        axes.plot(z, found[f"squared_error{kind}"], color=VERMILION, linestyle="--", label="squared error")
        axes.set(xlabel="z (p = sigmoid of z)", ylabel=label)
    left.legend()
    return figure
