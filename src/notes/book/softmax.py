"""Softmax of three logits and the cross-entropy of a class: sections 2 and 7 of the notes."""

from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch.nn import functional

from notes.book.pictures import png
from notes.figures.canvas import BLUE, GREEN, VERMILION, canvas, styled

START = [2.0, 1.0, -1.0]
CASES = (START, [0.0, 0.0, 0.0], [5.0, -5.0, 3.25], [-4.5, -4.75, -5.0], [10.0, -10.0, 9.5])


def compute(_root: Path) -> dict[str, Any]:
    """Return the logits to start from, reference values (a row a case and class), and the picture."""
    reference = [answer(logits, label) for logits in CASES for label in range(3)]
    data = {"start": {"logits": START, "label": 1}, "reference": reference}
    return {"data.json": data, "picture.png": png(draw(START))}


def answer(logits: list[float], label: int) -> dict[str, Any]:
    """Return softmax (3,), cross-entropy at the label, and its gradient by the logits (3,), by torch's autograd."""
    inputs = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    loss = functional.cross_entropy(inputs[None], torch.tensor([label]))
    (gradient,) = torch.autograd.grad(loss, inputs)
    probabilities = torch.softmax(inputs, dim=0).tolist()
    told = {"logits": logits, "label": label, "probabilities": probabilities}
    return told | {"loss": loss.item(), "gradient": gradient.tolist()}


@styled
def draw(logits: list[float]) -> Figure:
    """Show three logits beside the probabilities that softmax makes of them."""
    figure, (left, right) = canvas("Softmax: probabilities that sum to 1", columns=2, width=8, height=3.5)
    names = ["class A", "class B", "class C"]
    colours = [BLUE, VERMILION, GREEN]
    probabilities = answer(logits, 0)["probabilities"]
    left.bar(names, logits, color=colours)
    left.set(ylabel="logit")
    bars = right.bar(names, probabilities, color=colours)
    right.bar_label(bars, [f"{p:.3f}" for p in probabilities])
    right.set(ylabel="probability", ylim=(0, 1))
    return figure
