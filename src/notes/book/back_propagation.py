"""A network of two inputs, two sigmoid units and one output, forward and backward by hand: section 3 of the notes.

`notes.networks.by_hand` has a logit a class. One output z with the log loss is its case of two logits (0, z): the first
one's weights are 0 and stay so, since what is drawn and updated are the second one's alone.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from notes.book.pictures import png
from notes.figures.canvas import BLUE, GREY, VERMILION, canvas, styled
from notes.networks.by_hand import Layer, backward, cross_entropy, forward

# Of unit j from input i: w[j][i]; of the output from unit j: v[j].
Parameters = dict[str, Any]
START: Parameters = {"w": [[0.8, -0.6], [0.4, 0.9]], "b": [0.1, -0.2], "v": [1.5, -0.8], "c": 0.3}
INPUTS, LABEL, RATE = [1.0, -0.5], 0, 1.0


def compute(_root: Path) -> dict[str, Any]:
    """Return the start, what each of three steps downhill meets there, and the picture."""
    steps, parameters = [], START
    for _ in range(3):
        found = passes(parameters, INPUTS, LABEL)
        steps.append({"parameters": parameters} | found)
        parameters = downhill(parameters, found["gradient"], RATE)
    start = {"parameters": START, "inputs": INPUTS, "label": LABEL, "rate": RATE}
    return {"data.json": {"start": start, "steps": steps}, "picture.png": png(draw(steps[0]))}


def passes(parameters: Parameters, inputs: list[float], label: int) -> dict[str, Any]:
    """Return hidden outputs h (2,), output z, probability p, the loss, and the gradient, shaped as the parameters."""
    layers = as_layers(parameters)
    outputs = forward(layers, np.array([inputs]), "sigmoid")
    labels = np.array([label])
    (hidden, hidden_bias), (output, output_bias) = backward(layers, outputs, labels, "sigmoid")
    gradient = {"w": hidden.tolist(), "b": hidden_bias.tolist(), "v": output[1].tolist(), "c": float(output_bias[1])}
    z = float(outputs[-1][0, 1])
    loss = cross_entropy(outputs[-1], labels)
    return {"h": outputs[1][0].tolist(), "z": z, "p": float(1 / (1 + np.exp(-z))), "loss": loss, "gradient": gradient}


def as_layers(parameters: Parameters) -> list[Layer]:
    """Return the layers of `by_hand`, whose first logit is always 0."""
    output = np.array([[0.0, 0.0], parameters["v"]]), np.array([0.0, parameters["c"]])
    return [(np.array(parameters["w"]), np.array(parameters["b"])), output]


def downhill(parameters: Parameters, gradient: Parameters, rate: float) -> Parameters:
    """Return the parameters after one step of gradient descent."""
    return {name: (np.array(parameters[name]) - rate * np.array(gradient[name])).tolist() for name in parameters}


@styled
def draw(found: dict[str, Any]) -> Figure:
    """Show the network with its weights, and the gradient of each beneath it."""
    figure, (axes,) = canvas("Forward: numbers to the loss. Backward: a gradient for every weight", width=8, height=3.5)
    places = {"x₁": (0, 1), "x₂": (0, 0), "h₁": (1, 1), "h₂": (1, 0), "p": (2, 0.5)}
    for j in (0, 1):
        for i in (0, 1):
            _edge(axes, places[f"x{'₁₂'[i]}"], places[f"h{'₁₂'[j]}"], found["parameters"]["w"][j][i],
                  found["gradient"]["w"][j][i])  # fmt: skip
        _edge(axes, places[f"h{'₁₂'[j]}"], places["p"], found["parameters"]["v"][j], found["gradient"]["v"][j])
    values = dict(zip(places, [*INPUTS, *found["h"], found["p"]], strict=True))
    for name, (x, y) in places.items():
        axes.plot(x, y, "o", markersize=44, color="white", markeredgecolor=GREY)
        axes.text(x, y, f"{name}\n{values[name]:.2f}", ha="center", va="center")
    axes.text(2.25, 0.5, f"loss\n{found['loss']:.3f}", va="center", color=BLUE)
    axes.set(xlim=(-0.3, 2.6), ylim=(-0.35, 1.35))
    axes.axis("off")
    return figure


def _edge(axes: Any, start: tuple[float, float], end: tuple[float, float], weight: float, gradient: float) -> None:
    axes.plot(*zip(start, end, strict=True), color=GREY, zorder=0)
    x, y = (0.68 * a + 0.32 * b for a, b in zip(start, end, strict=True))
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    axes.text(x, y + 0.07, f"{weight:.2f}", ha="center", va="center", color=BLUE, bbox=box)
    axes.text(x, y - 0.07, f"∂ {gradient:.3f}", ha="center", va="center", color=VERMILION, fontsize=9, bbox=box)
