"""Does ReLU learn faster than sigmoid, and does depth matter?

ReLU's slope is 1 for every positive sum, sigmoid's at most 1/4, so that a gradient which passes five sigmoids has lost
at least a factor of a thousand to the slopes alone. The study `vanishing_gradients` measures the gradients at the
start; here it is what they are for: how far the training loss falls within a few epochs, in a shallow and in a deep
network.

Adam scales each gradient by its own size, which takes back much of the loss: it makes the comparison harder for ReLU
than plain descent would. Either activation starts with the weights made for it (He, Xavier) and may choose its own best
learning rate at each depth, on half of the repetitions; the other half compares. "Fast" here is progress per epoch.
That ReLU is also cheap to compute is beside the point: the matrix products take nearly all of the time.
"""

import math
from itertools import product

import numpy as np
import torch

from notes.data.tasks import load_split
from notes.intervals import mean_interval
from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, as_factor, choosing, column, judging
from notes.studies.shared.experiment import generator_for, sample
from notes.studies.shared.side_by_side import descend, shuffled_batches, stack, stack_splits

CLAIM = "ReLU learns fast, in deep networks too, where the gradients of sigmoid vanish."
NOTES = "2. Activation functions"
RULE = (
    "At each depth either activation takes the learning rate with the lowest training loss in the last epoch, "
    "geometric mean over the even repetitions. ReLU is faster if on the odd ones the 95 % interval of log(loss of "
    "sigmoid / loss of ReLU), paired, lies above zero. Holds if it is at every depth, holds only for the depths at "
    "which it is, fails if there is none. A run that diverges keeps the loss of guessing."
)
ACTIVATIONS = ("sigmoid", "relu")
GUESSING = math.log(10)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row for each depth, activation, learning rate, repetition and epoch: the mean training loss."""
    digits = load_split("mnist", "train")
    repetitions = range(settings.repetitions)
    data = stack_splits(sample(digits, settings.rows, generator_for(seed, repetition)) for repetition in repetitions)
    rows: list[Row] = []
    for depth, activation, rate in product(settings.depths, ACTIVATIONS, settings.learning_rates):
        generators = [generator_for(seed, repetition, 1) for repetition in repetitions]
        sizes = data[0].shape[2], [settings.width] * depth, 10
        networks = stack([Mlp(*sizes, activation=activation).initialise(generator) for generator in generators])
        batches = shuffled_batches(data, settings.batch_size, epochs=settings.epochs, generators=generators)
        losses = torch.stack(list(descend(networks, batches, make_optimizer(networks, "adam", rate))))
        losses = losses.nan_to_num(nan=GUESSING, posinf=GUESSING)  # a run that diverges has no number to show
        means = losses.unflatten(0, (settings.epochs, -1)).mean(dim=1)  # over batches: (epochs, repetitions)
        case: Row = {"depth": depth, "activation": activation, "learning_rate": rate}
        rows += [
            case | {"repetition": repetition, "epoch": epoch, "loss": float(means[epoch - 1, repetition])}
            for repetition in repetitions
            for epoch in range(1, settings.epochs + 1)
        ]
    return rows


def best_rate(rows: list[Row], depth: int, activation: str) -> float:
    """Return the learning rate with the lowest final loss, geometric mean over the even repetitions."""
    case = {"depth": depth, "activation": activation, "epoch": max(row["epoch"] for row in rows)}
    rates: list[float] = sorted({row["learning_rate"] for row in rows})
    return min(rates, key=lambda rate: float(np.log(column(choosing(rows), "loss", **case, learning_rate=rate)).mean()))


def curves(rows: list[Row], depth: int, activation: str) -> np.ndarray:
    """Return the losses at the best learning rate as an array (odd repetitions, epochs)."""
    rate = best_rate(rows, depth, activation)
    values = column(judging(rows), "loss", depth=depth, activation=activation, learning_rate=rate)
    epochs = int(max(row["epoch"] for row in rows))
    return values.reshape(-1, epochs)


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE."""
    gains = {
        depth: mean_interval(np.log(curves(rows, depth, "sigmoid")[:, -1] / curves(rows, depth, "relu")[:, -1]))
        for depth in settings.depths
    }
    faster = [f"{depth}" for depth in settings.depths if gains[depth].low > 0]
    text = f"holds only for {' and '.join(faster)} hidden layers" if faster else "fails"
    deepest = max(settings.depths)
    means = [
        f"{depth} hidden layers: sigmoid {curves(rows, depth, 'sigmoid')[:, -1].mean():.2f}, "
        f"ReLU {curves(rows, depth, 'relu')[:, -1].mean():.2f}"
        for depth in settings.depths
    ]
    return Verdict(
        "holds" if len(faster) == len(settings.depths) else text,
        f"training loss of sigmoid over that of ReLU with {deepest} hidden layers, geometric mean, a factor",
        *as_factor(gains[deepest]),
        f"Training loss after {settings.epochs} epochs, {'; '.join(means)}".replace(
            "1 hidden layers", "1 hidden layer"
        ),
    )
