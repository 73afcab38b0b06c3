"""Where gradients vanish: on their way back through many layers, and at units whose input is large.

By the chain rule the gradient of an early layer is a product with two factors for every later one: its weights and the
slope of its activation. Sigmoid's slope is at most 1/4, so that each layer takes something away. Tanh's reaches 1, but
only near zero: far out it is as flat as sigmoid. ReLU's is exactly 1 for every positive input, however large. How
large the weights are at the start counts as much as the slope.

Two measurements. Depth: networks of equal layers send random inputs forward and backward once, and the gradient of the
first hidden layer's weights is compared with the last one's, for two starts: PyTorch's own for nn.Linear, uniform on
±1/√inputs, and the one made to keep gradients alive, of He et al. (2015) for ReLU, of Glorot and Bengio (2010,
"Xavier") for sigmoid and tanh. Size: units get inputs of a given size, and a random gradient is sent back through
them: what share of its length comes out?
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from notes.intervals import mean_interval
from notes.networks.mlp import ACTIVATIONS, Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column, rows_where, text_of
from notes.studies.shared.experiment import generator_for

CLAIM = "Gradients vanish with sigmoid, and with tanh for large inputs; with ReLU they do not."
NOTES = "2. Activation functions"
STARTS = {"he_xavier": "He / Xavier start", "standard": "PyTorch's own start"}
VANISHED = -2.0  # decades
RULE = (
    "A gradient has vanished where less than a hundredth of it is left, and is kept where more is, by the 95 % "
    "interval of the decadic logarithm. Sigmoid's must vanish from the last to the first layer of the deepest network; "
    "tanh's on its way through units with the largest inputs, but not through those with the smallest; ReLU's must be "
    "kept in both. Holds if all of this is so from both starts, holds only for the start from which it is, fails if "
    "there is none."
)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row for each activation, start, depth, repetition and hidden layer, and one for each size of inputs."""
    rows: list[Row] = []
    for activation in ("sigmoid", "tanh", "relu"):
        for repetition in range(settings.repetitions):
            named = {"activation": activation, "repetition": repetition}
            for start in STARTS:
                for depth in settings.depths:
                    norms = gradient_norms(settings, activation, start, depth, generator_for(seed, repetition))
                    case = named | {"part": "depth", "start": start, "depth": depth}
                    rows += [case | {"layer": layer, "gradient_norm": norm} for layer, norm in enumerate(norms, 1)]
            for size in settings.input_sizes:
                share = share_passed(settings, activation, size, generator_for(seed, repetition, 1))
                rows.append(named | {"part": "size", "size": size, "share": share})
    return rows


def gradient_norms(
    settings: Settings, activation: str, start: str, depth: int, generator: torch.Generator
) -> list[float]:
    """Return the gradient norm of each hidden layer's weights, first layer first, at the start of training."""
    inputs = torch.randn(settings.rows, settings.width, generator=generator, dtype=torch.float64)
    targets = torch.randn(settings.rows, 1, generator=generator, dtype=torch.float64)
    # The inputs are as wide as the layers, so that all hidden layers are alike and their norms comparable.
    network = Mlp(settings.width, [settings.width] * depth, 1, activation=activation).initialise(generator).double()
    linears = [layer for layer in network.layers if isinstance(layer, nn.Linear)]
    if start == "standard":
        for layer in linears:
            for parameter in (layer.weight, layer.bias):
                nn.init.uniform_(parameter, -1 / math.sqrt(settings.width), 1 / math.sqrt(settings.width), generator)
    functional.mse_loss(network(inputs), targets).backward()
    return [layer.weight.grad.norm().item() for layer in linears[:-1] if layer.weight.grad is not None]


def share_passed(settings: Settings, activation: str, size: float, generator: torch.Generator) -> float:
    """Return the share of a random gradient's length that comes back through units with inputs of about this size.

    The inputs lie between half the size and the whole, positive or negative by chance.
    """
    shape = settings.rows, settings.width
    sizes, signs = (torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    arriving = torch.randn(shape, generator=generator, dtype=torch.float64)
    inputs = (size * (1 + sizes) / 2 * torch.where(signs < 0.5, -1, 1)).requires_grad_()
    (passed,) = torch.autograd.grad(ACTIVATIONS[activation]()(inputs), inputs, arriving)
    return float(passed.norm() / arriving.norm())


def decades(rows: list[Row], activation: str, start: str, depth: int) -> np.ndarray:
    """Return log10(first hidden layer's gradient norm / last one's) for each repetition: -2 is a hundredth."""
    case = rows_where(rows, part="depth", activation=activation, start=start, depth=depth)
    first, last = (_log10(column(case, "gradient_norm", layer=layer)) for layer in (1, depth))
    difference: np.ndarray = first - last
    return difference


def decades_passed(rows: list[Row], activation: str, size: float) -> np.ndarray:
    """Return log10(share of the gradient that passes units with inputs of this size) for each repetition."""
    return _log10(column(rows, "share", part="size", activation=activation, size=size))


def _log10(values: np.ndarray) -> np.ndarray:
    # What is too small for a number counts as the smallest one.
    logarithms: np.ndarray = np.log10(np.maximum(values, 1e-300))
    return logarithms


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is what sigmoid loses over the layers of the deepest network, He / Xavier start."""
    deepest, smallest, largest = max(settings.depths), min(settings.input_sizes), max(settings.input_sizes)
    lost = {(name, start): decades(rows, name, start, deepest) for name in ("sigmoid", "relu") for start in STARTS}
    passed = {
        size: {name: decades_passed(rows, name, size) for name in ("tanh", "relu")} for size in (smallest, largest)
    }
    at_units = _vanished(passed[largest]["tanh"]) and _kept(passed[smallest]["tanh"]) and _kept(passed[largest]["relu"])
    holds = [
        f"the {text}"
        for start, text in STARTS.items()
        if at_units and _vanished(lost["sigmoid", start]) and _kept(lost["relu", start])
    ]
    shares = {key: f"{10 ** values.mean():.1g}" for key, values in lost.items()}
    tanh, relu = (f"{10 ** passed[largest][name].mean():.1g}" for name in ("tanh", "relu"))
    return Verdict(
        text_of(holds, list(STARTS)),
        f"decades of gradient that sigmoid loses over {deepest} layers, He / Xavier start",
        *mean_interval(-lost["sigmoid", "he_xavier"]),
        f"Over {deepest} layers sigmoid leaves {shares['sigmoid', 'he_xavier']} of the gradient and ReLU "
        f"{shares['relu', 'he_xavier']}, but from PyTorch's own start ReLU {shares['relu', 'standard']}; units with "
        f"inputs around {largest:g} pass {tanh} with tanh, {relu} with ReLU",
    )


def _vanished(values: np.ndarray) -> bool:
    return mean_interval(values).high < VANISHED


def _kept(values: np.ndarray) -> bool:
    return mean_interval(values).low > VANISHED
