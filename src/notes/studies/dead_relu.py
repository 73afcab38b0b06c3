"""How a ReLU unit dies: once its input is negative for every sample its gradient is zero, and it stays so.

ReLU passes no gradient for a negative input. A large step can move a unit's weights so far that its input is negative
for the whole training set: nothing will move them back. Leaky ReLU keeps a slope of 0.01 there, so that its units can
always return.

The study trains both on the two moons at several learning rates. After each epoch one backward pass over the whole
training set shows which hidden units have no gradient at all: those whose incoming weights and bias are not to move.
"""

import copy

import numpy as np
import torch
from torch import nn

from notes.data.tasks import Split, load_split
from notes.intervals import paired_interval
from notes.networks.mlp import ClassifierOptions, Mlp, log_loss
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column, rows_where
from notes.studies.shared.experiment import generator_for, train

CLAIM = "ReLU units can stop learning; those of leaky ReLU can not."
NOTES = "2. Activation functions"
RULE = (
    "A unit is dead if it has no gradient over the whole training set after the last epoch. ReLU's units stop "
    "learning at a learning rate if the 95 % interval of their dead share, less that at the start, lies above zero. "
    "The claim fails if no learning rate kills a ReLU unit so, or if any leaky unit is dead after any epoch of any "
    "run; it holds if all learning rates kill, and 'holds under' those that do otherwise."
)


def measure(settings: Settings, generator_seed: int) -> list[Row]:
    """Return a row for each network, learning rate, repetition and epoch (0: before training): the dead share."""
    data, held_out = load_split("moons", "train"), load_split("moons", "validation")
    return [
        {
            "network": network,
            "activation": activation,
            "learning_rate": rate,
            "repetition": repetition,
            "epoch": epoch,
            "dead": dead,
        }
        for network, activation in (("mortal", settings.mortal), ("immortal", settings.immortal))
        for rate in settings.learning_rates
        for repetition in range(settings.repetitions)
        for epoch, dead in enumerate(
            shares_over_training(settings, activation, rate, data, held_out, generator_for(generator_seed, repetition))
        )
    ]


def shares_over_training(
    settings: Settings, activation: str, rate: float, data: Split, held_out: Split, generator: torch.Generator
) -> list[float]:
    """Train once and return the share of dead units before training and after each epoch, as far as the loss goes."""
    network = Mlp(data.inputs.shape[1], settings.hidden_sizes, 1, activation=activation).initialise(generator)
    options = ClassifierOptions(
        settings.epochs, settings.batch_size, rate, optimizer="sgd", momentum=settings.momentum, loss="log_loss"
    )
    shares = [dead_share(network, data)]
    for _ in train(network, data, held_out, options, generator):
        shares.append(dead_share(network, data))
    return shares


def dead_share(network: Mlp, data: Split) -> float:
    """Return the share of hidden units without any gradient over the data.

    In double precision, since a gradient that only rounds to zero is not one that is zero.
    """
    exact = copy.deepcopy(network).double()
    loss = log_loss(exact(torch.from_numpy(data.inputs).double()), torch.from_numpy(data.targets))
    hidden = [layer for layer in exact.layers if isinstance(layer, nn.Linear)][:-1]
    gradients = torch.autograd.grad(loss, [parameter for layer in hidden for parameter in (layer.weight, layer.bias)])
    dead = [
        (weights.abs().amax(dim=1) == 0) & (biases == 0)
        for weights, biases in zip(gradients[::2], gradients[1::2], strict=True)
    ]
    return torch.cat(dead).double().mean().item()


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the share of ReLU units that the largest learning rate kills."""
    killed = {rate: paired_interval(*_last_and_first(rows, "mortal", rate)) for rate in settings.learning_rates}
    deadly = [rate for rate, interval in killed.items() if interval.low > 0]
    leaky = max(row["dead"] for row in rows_where(rows, network="immortal"))
    text = "fails"
    if deadly and leaky == 0:
        rates = ", ".join(f"{rate:g}" for rate in deadly)
        text = "holds" if len(deadly) == len(killed) else f"holds under learning rate {rates}"
    largest = max(settings.learning_rates)
    value, low, high = killed[largest]
    never = "none ever" if leaky == 0 else f"up to {leaky:.0%}"
    return Verdict(
        text,
        f"share of {settings.mortal} units that training kills at learning rate {largest:g}, percent",
        100 * value,
        100 * low,
        100 * high,
        f"At learning rate {largest:g} training kills {value:.0%} of the {settings.mortal} units, at {min(killed):g} "
        f"it kills {max(killed[min(killed)].value, 0):.0%}; of the {settings.immortal} units {never}",
    )


def _last_and_first(rows: list[Row], network: str, rate: float) -> tuple[np.ndarray, np.ndarray]:
    runs = rows_where(rows, network=network, learning_rate=rate)
    # Of a run that diverged the last epoch is the last with a finite loss.
    last = {row["repetition"]: row["dead"] for row in runs}
    return np.array(list(last.values())), column(runs, "dead", epoch=0)
