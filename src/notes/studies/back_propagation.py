"""Does the chain rule, applied by hand, give the gradients?

Back-propagation is no approximation and no magic of a library: it is the chain rule, evaluated from the loss
backwards, so that each layer reuses what the layer above has worked out. `notes.networks.by_hand` writes it out in a
page of NumPy. Here its gradients meet two judges that share no line with it: torch's autograd, and finite
differences, which know nothing of derivatives at all (move one weight by ± step, see how much the loss moves).

Finite differences are themselves inexact, from two sides: a long step leaves the tangent (the error falls as step²),
a short one drowns in rounding (the error grows as 1/step). The picture shows both, and why nobody trains with them:
they also cost two forward passes a weight. Where a ReLU's sum is exactly 0 the two judges disagree for good: at its
kink there is no derivative, autograd takes 0, and a finite difference the mean of both sides. With biases that start
at zero this happens: a row that switches off a whole layer leaves the next one at exactly 0.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from notes.intervals import mean_interval
from notes.networks.by_hand import Array, Layer, backward, cross_entropy, forward
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, rows_where

CLAIM = "The chain rule, applied backwards from the loss, gives the partial derivative of every parameter."
NOTES = "3. Forward and back-propagation"
RULE = (
    "A difference is the largest one over a network's gradients, divided by the largest gradient. An activation "
    "passes if every one of its networks differs from autograd by at most `tolerance`, and from central finite "
    "differences, at the best of the step lengths, by at most `finite_difference_tolerance`. Holds if every "
    "activation passes, holds under those that do, fails if none does."
)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a network and judge: by autograd (step 0), and by finite differences at each step length."""
    rows: list[Row] = []
    for activation in settings.activations:
        for repetition in range(settings.repetitions):
            seed = generator_seed + repetition
            random = np.random.default_rng(seed)
            inputs = random.standard_normal((settings.rows, settings.sizes[0]))
            labels = random.integers(settings.sizes[-1], size=settings.rows)
            network = Mlp(settings.sizes[0], settings.sizes[1:-1], settings.sizes[-1], activation=activation).double()
            network.initialise(torch.Generator().manual_seed(seed))
            layers = [
                (layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy())
                for layer in network.layers
                if isinstance(layer, nn.Linear)
            ]
            by_hand = flatten(backward(layers, forward(layers, inputs, activation), labels, activation))
            at_zero = hidden_sums_at_zero(layers, inputs, activation)
            names = {"activation": activation, "repetition": repetition, "hidden_sums_at_zero": at_zero}
            autograd = automatic_gradient(network, inputs, labels)
            rows.append(
                names | {"judge": "autograd", "step": 0.0, "difference": difference(by_hand, autograd, autograd)}
            )
            entries = random.choice(len(by_hand), size=min(settings.entries, len(by_hand)), replace=False)
            for step in settings.finite_difference_steps:
                estimate = finite_differences(layers, inputs, labels, activation, entries, step)
                distance = difference(by_hand[entries], estimate, by_hand)
                rows.append(names | {"judge": "finite differences", "step": step, "difference": distance})
    return rows


def automatic_gradient(network: Mlp, inputs: Array, labels: np.ndarray) -> Array:
    """Return autograd's gradient of the cross-entropy for all parameters, as one vector."""
    network.zero_grad()
    functional.cross_entropy(network(torch.from_numpy(inputs)), torch.from_numpy(labels)).backward()
    gradients = [parameter.grad.numpy().ravel() for parameter in network.parameters() if parameter.grad is not None]
    return np.concatenate(gradients)


def finite_differences(
    layers: list[Layer], inputs: Array, labels: np.ndarray, activation: str, entries: np.ndarray, step: float
) -> Array:
    """Return (loss(w + step) - loss(w - step)) / (2 · step) for the parameters numbered `entries`."""
    flat = flatten(layers)

    def loss(moved: Array) -> float:
        return cross_entropy(forward(unflatten(moved, layers), inputs, activation)[-1], labels)

    slopes = []
    for entry in entries:
        move = np.zeros_like(flat)
        move[entry] = step
        slopes.append((loss(flat + move) - loss(flat - move)) / (2 * step))
    return np.array(slopes)


def hidden_sums_at_zero(layers: list[Layer], inputs: Array, activation: str) -> int:
    """Return how many z of the hidden layers are exactly 0: there ReLU has a kink, and no derivative."""
    outputs = forward(layers, inputs, activation)
    return sum(
        int((incoming @ weights.T + biases == 0).sum())
        for incoming, (weights, biases) in zip(outputs[:-2], layers[:-1], strict=True)
    )


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
    if len(passed) == len(settings.activations):
        text = "holds"
    else:
        text = f"holds under {', '.join(passed)}" if passed else "fails"
    effect = mean_interval([row["difference"] for row in rows_where(rows, judge="autograd")])
    stray = [name for name in settings.activations if name not in passed]
    finding = (
        f"The chain rule by hand gives autograd's gradients to {max(autograd.values()):.0e}, and those of finite "
        f"differences to {max((numeric[name] for name in passed), default=max(numeric.values())):.0e}"
    )
    if passed and stray:
        kinks = [row for row in rows if row["judge"] == "autograd" and row["activation"] in stray]
        at_kink = sum(row["hidden_sums_at_zero"] > 0 for row in kinks)
        finding += f"; not so with {', '.join(stray)}, where {at_kink} of {len(kinks)} networks sit at a kink"
    return Verdict(text, "mean difference from autograd, as a share of the largest gradient", *effect, finding)


def _worst_by_autograd(rows: list[Row], activation: str) -> float:
    return max(float(row["difference"]) for row in rows_where(rows, judge="autograd", activation=activation))


def _worst_by_best_step(rows: list[Row], activation: str) -> float:
    numeric = rows_where(rows, judge="finite differences", activation=activation)
    networks = {row["repetition"] for row in numeric}
    return max(min(float(row["difference"]) for row in rows_where(numeric, repetition=one)) for one in networks)
