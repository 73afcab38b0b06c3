"""Why deep networks were hard to train: on its way back the gradient passes every layer and may shrink in each.

By the chain rule the gradient of an early layer is a product with two factors for every later one: its weights and the
slope of its activation. Sigmoid's slope is at most 1/4, tanh's at most 1, ReLU's is exactly 1 for a positive input. So
sigmoid must lose, tanh may, and ReLU need not; but how large the weights are at the start counts as much.

The study draws networks of equal layers, sends random inputs and targets through them once, forward and backward, and
compares the gradient of the first hidden layer's weights with that of the last one's. It does so for two kinds of
start: PyTorch's standard for nn.Linear, uniform on ±1/√inputs; and the one that was made to keep gradients alive: He et
al. (2015) for ReLU, Glorot and Bengio (2010, "Xavier") for sigmoid and tanh.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from notes.intervals import mean_interval
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column, rows_where
from notes.studies.shared.experiment import generator_for

CLAIM = "The gradients of sigmoid and tanh vanish with depth; those of ReLU do not."
NOTES = "2. Activation functions"
STARTS = {"standard": "PyTorch's standard start", "he_xavier": "He / Xavier start"}
VANISHED = -2.0  # decades
RULE = (
    "In the deepest network the first hidden layer's gradient norm is divided by the last one's. It has vanished if "
    "the 95 % interval of the ratio's decadic logarithm lies below -2 (a hundredth), and is kept if it lies above. "
    "The claim holds for a start if every saturating activation vanishes and the rectifier keeps; 'holds' is for both "
    "starts, 'holds under' for one, 'fails' for none."
)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row for each activation, start, depth, repetition and hidden layer: the gradient norm of its weights."""
    rows: list[Row] = []
    for activation in dict.fromkeys([*settings.saturating, settings.rectifier]):
        for start in STARTS:
            for depth in settings.depths:
                for repetition in range(settings.repetitions):
                    case = {"activation": activation, "start": start, "depth": depth, "repetition": repetition}
                    norms = gradient_norms(settings, activation, start, depth, generator_for(seed, repetition))
                    rows += [case | {"layer": layer, "gradient_norm": norm} for layer, norm in enumerate(norms, 1)]
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


def decades(rows: list[Row], activation: str, start: str, depth: int) -> np.ndarray:
    """Return log10(first hidden layer's gradient norm / last one's) for each repetition: -2 is a hundredth."""
    case = rows_where(rows, activation=activation, start=start, depth=depth)
    # A gradient below the smallest number is 0; its logarithm counts as that number's.
    first, last = (np.maximum(column(case, "gradient_norm", layer=layer), 1e-300) for layer in (1, depth))
    return np.log10(first) - np.log10(last)


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is what the saturating activations lose beyond the rectifier, He / Xavier start."""
    deepest, activations = max(settings.depths), [*settings.saturating, settings.rectifier]
    lost = {(a, start): decades(rows, a, start, deepest) for a in activations for start in STARTS}
    holds = [
        text
        for start, text in STARTS.items()
        if all(mean_interval(lost[a, start]).high < VANISHED for a in settings.saturating)
        and mean_interval(lost[settings.rectifier, start]).low > VANISHED
    ]
    text = "holds" if len(holds) == len(STARTS) else f"holds under {holds[0]}" if holds else "fails"
    saturating = np.mean([lost[a, "he_xavier"] for a in settings.saturating], axis=0)
    ratios = {start: ", ".join(f"{a} {10 ** lost[a, start].mean():.1g}" for a in activations) for start in STARTS}
    return Verdict(
        text,
        f"decades of gradient that {' and '.join(settings.saturating)} lose on average beyond {settings.rectifier} "
        f"over {deepest} layers, He / Xavier start",
        *mean_interval(lost[settings.rectifier, "he_xavier"] - saturating),
        f"Of the gradient of layer {deepest}, layer 1 gets these shares: {ratios['he_xavier']} after a He / Xavier "
        f"start, but {ratios['standard']} after PyTorch's",
    )
