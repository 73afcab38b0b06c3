"""How a ReLU unit dies: once its input is negative for every sample its gradient is zero, and it stays so.

ReLU passes no gradient for a negative input. A large step can move a unit's weights so far that its input is negative
for the whole training set: nothing will move them back. Leaky ReLU keeps a slope of 0.01 there, so that its units can
always return.

The study trains both on the two moons at several learning rates. After each epoch one backward pass over the whole
training set shows which hidden units have no gradient at all: those whose incoming weights and bias are not to move.
"""

import copy
import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from notes.data.tasks import Split, load_split
from notes.intervals import paired_interval
from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column, rows_where
from notes.studies.shared.experiment import generator_for
from notes.studies.shared.side_by_side import Data, StackedLinear, descend, for_all, losses, shuffled_batches, stack

CLAIM = "ReLU units can stop learning; those of leaky ReLU can not."
NOTES = "2. Activation functions"
RULE = (
    "A unit is dead if it has no gradient over the whole training set. ReLU's units can die if at one of the learning "
    "rates the 95 % interval of their dead share after the last epoch, less that at the start, lies above zero. Holds "
    "if they can, and no leaky unit is dead after any epoch of any run; fails otherwise."
)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row for each network, learning rate, repetition and epoch (0: before training): the dead share."""
    data = load_split("moons", "train")
    rows: list[Row] = []
    for network, activation in (("mortal", settings.mortal), ("immortal", settings.immortal)):
        for rate in settings.learning_rates:
            case = {"network": network, "activation": activation, "learning_rate": rate}
            generators = [generator_for(seed, repetition) for repetition in range(settings.repetitions)]
            for epoch, shares in enumerate(shares_over_training(settings, activation, rate, data, generators)):
                rows += [case | {"repetition": n, "epoch": epoch, "dead": dead} for n, dead in enumerate(shares)]
    return rows


def shares_over_training(
    settings: Settings, activation: str, rate: float, data: Split, generators: list[torch.Generator]
) -> Iterator[list[float]]:
    """Train a network a generator; yield the share of dead units of each, before training and after every epoch."""
    networks = stack([Mlp(2, settings.hidden_sizes, 1, activation=activation).initialise(one) for one in generators])
    points = for_all(data, len(generators))
    yield dead_shares(networks, points)
    batches = shuffled_batches(points, settings.batch_size, epochs=settings.epochs, generators=generators)
    updates = descend(networks, batches, make_optimizer(networks, "sgd", rate, momentum=settings.momentum))
    an_epoch = math.ceil(len(data.targets) / settings.batch_size)
    for update, _ in enumerate(updates, start=1):
        if update % an_epoch == 0:
            yield dead_shares(networks, points)


def dead_shares(networks: nn.Module, data: Data) -> list[float]:
    """Return for each network the share of hidden units without any gradient over the data.

    In double precision, since a gradient that only rounds to zero is not one that is zero.
    """
    inputs, labels = data
    exact = copy.deepcopy(networks).double()
    loss = losses(exact, (inputs.double(), labels)).sum()
    *hidden, _ = [layer for layer in exact.modules() if isinstance(layer, StackedLinear)]
    gradients = torch.autograd.grad(loss, [parameter for layer in hidden for parameter in (layer.weight, layer.bias)])
    dead = [
        (weights.abs().amax(dim=1) == 0) & (biases[:, 0] == 0)
        for weights, biases in zip(gradients[::2], gradients[1::2], strict=True)
    ]
    shares: list[float] = torch.cat(dead, dim=1).double().mean(dim=1).tolist()
    return shares


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the share of ReLU units that the largest learning rate kills."""
    killed = {rate: paired_interval(*_last_and_first(rows, "mortal", rate)) for rate in settings.learning_rates}
    leaky = max(row["dead"] for row in rows_where(rows, network="immortal"))
    can_die = any(interval.low > 0 for interval in killed.values())
    largest = max(settings.learning_rates)
    value, low, high = killed[largest]
    never = "none ever" if leaky == 0 else f"up to {leaky:.0%}"
    return Verdict(
        "holds" if can_die and leaky == 0 else "fails",
        f"share of {settings.mortal} units that training kills at learning rate {largest:g}, percent",
        100 * value,
        100 * low,
        100 * high,
        f"At learning rate {largest:g} training kills {value:.0%} of the {settings.mortal} units, at {min(killed):g} "
        f"it kills {max(killed[min(killed)].value, 0):.0%}; of the {settings.immortal} units {never}",
    )


def _last_and_first(rows: list[Row], network: str, rate: float) -> tuple[np.ndarray, np.ndarray]:
    runs = rows_where(rows, network=network, learning_rate=rate)
    return column(runs, "dead", epoch=max(row["epoch"] for row in runs)), column(runs, "dead", epoch=0)
