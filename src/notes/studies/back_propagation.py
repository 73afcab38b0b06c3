"""Does the chain rule, applied by hand, give the gradients?

Back-propagation is no approximation and no magic of a library: it is the chain rule, evaluated from the loss
backwards, so that each layer reuses what the layer above has worked out. `notes.networks.by_hand` writes it out in a
page of NumPy. Here its gradients meet two judges that share no line with it: torch's autograd, and finite
differences, which know nothing of derivatives at all (move one weight by ± step, see how much the loss moves).

Finite differences are themselves inexact, from two sides: a long step leaves the tangent (the error falls as step²),
a short one drowns in rounding (the error grows as 1/step). The picture shows both, and why nobody trains with them:
they also cost two forward passes a weight. ReLU has a kink at 0 and no derivative there. Biases drawn at random keep
every hidden unit off the kink; but a step may carry one across, and then the difference mixes the slopes of both sides.
Such a pair of a parameter and a step says nothing of the chain rule, and is left out.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from notes.intervals import mean_interval
from notes.networks.by_hand import Array, Layer, backward, cross_entropy, forward
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, rows_where, text_of
from notes.studies.shared.experiment import generator_for, random_for

CLAIM = "The chain rule, applied backwards from the loss, gives the partial derivative of every parameter."
NOTES = "3. Forward and back-propagation"
RULE = (
    "A difference is the largest one over a network's gradients, divided by the largest gradient. An activation passes "
    "if every one of its networks differs from autograd by at most `tolerance`, and from central finite differences, "
    "at the best of the step lengths, by at most `finite_difference_tolerance`. Holds if every activation passes, "
    "holds only for those that do, fails if none does. Parameters whose step carries a ReLU unit across its kink are "
    "left out, and a step length that does so for more than half of them is not used."
)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a network and judge: by autograd (step 0), and by finite differences at each step length."""
    rows: list[Row] = []
    for activation in settings.activations:
        for repetition in range(settings.repetitions):
            random = random_for(seed, repetition)
            inputs = random.standard_normal((settings.rows, settings.sizes[0]))
            labels = random.integers(settings.sizes[-1], size=settings.rows)
            network = make_network(settings, activation, generator_for(seed, repetition))
            layers = [
                (layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy())
                for layer in network.layers
                if isinstance(layer, nn.Linear)
            ]
            by_hand = flatten(backward(layers, forward(layers, inputs, activation), labels, activation))
            autograd = automatic_gradient(network, inputs, labels)
            case = {"activation": activation, "repetition": repetition}
            rows.append(
                case | {"judge": "autograd", "step": 0.0, "difference": difference(by_hand, autograd, autograd)}
            )
            entries = random.choice(len(by_hand), size=min(settings.entries, len(by_hand)), replace=False)
            for step in settings.finite_difference_steps:
                slopes, smooth = finite_differences(layers, inputs, labels, activation, entries, step)
                found = {"judge": "finite differences", "step": step, "across_a_kink": int((~smooth).sum())}
                if smooth.sum() * 2 >= len(entries):
                    found["difference"] = difference(by_hand[entries][smooth], slopes[smooth], by_hand)
                rows.append(case | found)
    return rows


def make_network(settings: Settings, activation: str, generator: torch.Generator) -> Mlp:
    """Return a network with random weights and, unlike in training, random biases."""
    network = Mlp(settings.sizes[0], settings.sizes[1:-1], settings.sizes[-1], activation=activation).double()
    network.initialise(generator)
    for layer in network.layers:
        if isinstance(layer, nn.Linear):
            nn.init.uniform_(layer.bias, -0.5, 0.5, generator)
    return network


def automatic_gradient(network: Mlp, inputs: Array, labels: np.ndarray) -> Array:
    """Return autograd's gradient of the cross-entropy for all parameters, as one vector."""
    network.zero_grad()
    functional.cross_entropy(network(torch.from_numpy(inputs)), torch.from_numpy(labels)).backward()
    gradients = [parameter.grad.numpy().ravel() for parameter in network.parameters() if parameter.grad is not None]
    return np.concatenate(gradients)


def finite_differences(
    layers: list[Layer], inputs: Array, labels: np.ndarray, activation: str, entries: np.ndarray, step: float
) -> tuple[Array, np.ndarray]:
    """Return (loss(w + step) - loss(w - step)) / (2 · step) for the parameters numbered `entries`.

    And for each of them whether no ReLU unit has its kink between the two.
    """
    flat = flatten(layers)
    slopes, smooth = [], []
    for entry in entries:
        move = np.zeros_like(flat)
        move[entry] = step
        ahead, behind = (forward(unflatten(moved, layers), inputs, activation) for moved in (flat + move, flat - move))
        slopes.append((cross_entropy(ahead[-1], labels) - cross_entropy(behind[-1], labels)) / (2 * step))
        on = [np.concatenate([hidden.ravel() > 0 for hidden in outputs[1:-1]]) for outputs in (ahead, behind)]
        smooth.append(activation != "relu" or bool((on[0] == on[1]).all()))
    return np.array(slopes), np.array(smooth)


def flatten(layers: list[Layer]) -> Array:
    """Return weights and biases of all layers as one vector, in the order of `nn.Module.parameters`."""
    return np.concatenate([part.ravel() for layer in layers for part in layer])


def unflatten(flat: Array, like: list[Layer]) -> list[Layer]:
    """Return the vector cut and shaped as the layers `like`."""
    parts = iter(np.split(flat, np.cumsum([part.size for layer in like for part in layer])[:-1]))
    return [(next(parts).reshape(weights.shape), next(parts)) for weights, _ in like]


def difference(found: Array, expected: Array, scale: Array) -> float:
    """Return the largest distance, as a share of the largest gradient."""
    return float(np.abs(found - expected).max() / np.abs(scale).max())


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE."""
    autograd = {name: _worst_by_autograd(rows, name) for name in settings.activations}
    numeric = {name: _worst_by_best_step(rows, name) for name in settings.activations}
    passed = [
        name
        for name in settings.activations
        if autograd[name] <= settings.tolerance and numeric[name] <= settings.finite_difference_tolerance
    ]
    effect = mean_interval([row["difference"] for row in rows_where(rows, judge="autograd")])
    crossed = sum(row["across_a_kink"] > 0 for row in rows if row["judge"] == "finite differences")
    numerics = sum(row["judge"] == "finite differences" for row in rows)
    finding = (
        f"The chain rule by hand gives autograd's gradients to {max(autograd.values()):.0e}, and those of finite "
        f"differences at their best step to {max(numeric.values()):.0e}; of {numerics:,} sets of steps {crossed:,} "
        f"carried a unit across ReLU's kink"
    )
    text = text_of(passed, settings.activations)
    return Verdict(text, "mean difference from autograd, as a share of the largest gradient", *effect, finding)


def _worst_by_autograd(rows: list[Row], activation: str) -> float:
    return max(float(row["difference"]) for row in rows_where(rows, judge="autograd", activation=activation))


def _worst_by_best_step(rows: list[Row], activation: str) -> float:
    best: dict[int, float] = {}
    for row in rows_where(rows, judge="finite differences", activation=activation):
        found = row.get("difference", "")
        best[row["repetition"]] = min(best.get(row["repetition"], math.inf), math.inf if found == "" else float(found))
    return max(best.values())
