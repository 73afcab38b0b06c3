"""One neuron, y = f(w·x + b), its slope, and where it saturates: sections 1 and 2 of the notes.

The functions and their slopes are torch's own, by autograd; the page has the formulas and is tested against these.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.optimize import brentq

from notes.book.pictures import png
from notes.figures.canvas import BLUE, GREY, VERMILION, canvas, styled

ACTIVATIONS = {"identity": lambda z: 1.0 * z, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}
SATURATED = 0.05  # of the largest slope
BOUNDED = ("sigmoid", "tanh")  # both even in their slope, which falls on either side of 0


def compute(_root: Path) -> dict[str, Any]:
    """Return where each activation saturates (|z| from there on), reference values, and the picture."""
    z = np.linspace(-8, 8, 33)
    reference = {name: dict(zip(("y", "slope"), _lists(name, z), strict=True)) for name in ACTIVATIONS}
    data = {
        "saturated": SATURATED,
        "limits": {name: round(limit(name), 12) for name in BOUNDED},
        "start": {"activation": "sigmoid", "w": 1.5, "b": 0.0, "x": 1.0},
        "reference": {"z": z.tolist(), **reference},
    }
    return {"data.json": data, "picture.png": png(draw(limit("sigmoid")))}


def values_and_slopes(name: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return f(z) and f'(z), each of the shape of z (float64), by torch and its autograd."""
    inputs = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    outputs = ACTIVATIONS[name](inputs)
    (slopes,) = torch.autograd.grad(outputs.sum(), inputs)
    return outputs.detach().numpy(), slopes.numpy()


def limit(name: str) -> float:
    """Return the z > 0 from which on the slope is below SATURATED of its largest, which is the one at 0."""
    largest = float(values_and_slopes(name, np.zeros(1))[1][0])
    return float(brentq(lambda z: float(values_and_slopes(name, np.array([z]))[1][0]) - SATURATED * largest, 0.0, 20.0))


def _lists(name: str, z: np.ndarray) -> tuple[list[float], list[float]]:
    values, slopes = values_and_slopes(name, z)
    return values.tolist(), slopes.tolist()


@styled
def draw(saturated_from: float) -> Figure:
    """Show a sigmoid neuron beside its slope, hatched where it saturates."""
    figure, (left, right) = canvas("A sigmoid neuron y = f(z) saturates at both ends", columns=2, width=8, height=3.5)
    z = np.linspace(-8, 8, 321)
    values, slopes = values_and_slopes("sigmoid", z)
    left.plot(z, values, color=BLUE)
    right.plot(z, slopes, color=VERMILION)
    for axes, label in ((left, "output y"), (right, "slope")):
        axes.set(xlabel="z = w·x + b", ylabel=label, xlim=(-8, 8))
        for ends in ((-8, -saturated_from), (saturated_from, 8)):
            axes.axvspan(*ends, facecolor="none", edgecolor=GREY, hatch="//", alpha=0.4)
    return figure
