"""Does training lower the loss?

The gradient points uphill, so that a step against it goes down: at once, and as far as the loss is straight. A step
that is too long comes out on the other slope, higher than it started. And a mini-batch knows only its own few rows:
what lowers their loss may raise that of the others. So "training lowers the loss" can be said of three things: of each
step, of each epoch, and of a training from beginning to end.

The study takes mini-batch descent at learning rates from timid to reckless, and after each step works out the loss over
all training rows, which no training does for its own sake.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from notes.intervals import mean_interval
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.shared.experiment import generator_for, random_for
from notes.studies.shared.side_by_side import Data, descend, losses, moons, shuffled_batches, stack

CLAIM = "Training lowers the loss: every step and every epoch."
NOTES = "3. Forward and back-propagation"
RULE = (
    "The loss is that of all training rows, and raised by more than a millionth of it, or not finite any more, it "
    "counts as raised. At a learning rate steps, epochs or whole trainings lower the loss if at most `tolerated` "
    "percent of them, over all repetitions, raise it. Holds if all three do at every learning rate; holds only for "
    "those that do, each up to the learning rate to which it does; fails if none does at the lowest."
)
PARTS = {"steps": "steps", "epochs": "epochs", "trainings": "whole trainings"}
NOISE = 1e-6  # of the loss: more than rounding


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a learning rate and repetition with the shares that raise the loss, and one an epoch: its loss."""
    repetitions = range(settings.repetitions)
    data = moons(settings.rows, [random_for(seed, repetition) for repetition in repetitions])
    rows: list[Row] = []
    for rate in settings.learning_rates:
        generators = [generator_for(seed, repetition, 1) for repetition in repetitions]
        networks = stack([Mlp(2, [settings.hidden_size], 2).initialise(one) for one in generators])
        history = losses_over_training(networks, data, settings, rate, generators)
        by_epoch = history[:: (len(history) - 1) // settings.epochs]
        raised = {"steps": share_raised(history), "epochs": share_raised(by_epoch)}
        raised["trainings"] = share_raised(history[[0, -1]])
        for repetition in repetitions:
            case = {"learning_rate": rate, "repetition": repetition}
            shares = {part: float(share[repetition]) for part, share in raised.items()}
            rows.append(case | {"kind": "raised"} | shares)
            rows += [
                case | {"kind": "loss", "epoch": epoch, "loss": float(loss[repetition])}
                for epoch, loss in enumerate(by_epoch)
            ]
    return rows


def losses_over_training(
    networks: nn.Module, data: Data, settings: Settings, rate: float, generators: Sequence[torch.Generator]
) -> np.ndarray:
    """Take mini-batch steps; return the loss over all rows before the first and after each (1 + steps, networks)."""
    optimizer = torch.optim.SGD(networks.parameters(), lr=rate)
    history = [losses(networks, data).detach()]
    batches = shuffled_batches(data, settings.batch_size, epochs=settings.epochs, generators=generators)
    history += [losses(networks, data).detach() for _ in descend(networks, batches, optimizer)]
    return torch.stack(history).double().numpy()


def share_raised(history: np.ndarray) -> np.ndarray:
    """Return the percentage of changes along the first axis that raise the loss, or end in what is no number."""
    before, after = history[:-1], history[1:]
    share: np.ndarray = 100 * (~(after <= before * (1 + NOISE))).mean(axis=0)
    return share


def lowers_up_to(rows: list[Row], part: str, settings: Settings) -> float | None:
    """Return the highest learning rate up to which a part of the training lowers the loss, or None."""
    highest = None
    for rate in sorted(settings.learning_rates):
        if column(rows, part, kind="raised", learning_rate=rate).mean() > settings.tolerated:
            break
        highest = rate
    return highest


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the share of steps at the lowest learning rate that raise the loss."""
    low, top = min(settings.learning_rates), max(settings.learning_rates)
    reach = {part: lowers_up_to(rows, part, settings) for part in PARTS}
    lowering = [
        f"{PARTS[part]}{'' if rate == top else f' up to {rate:g}'}" for part, rate in reach.items() if rate is not None
    ]
    text = f"holds only for {', '.join(lowering)} (learning rate)" if lowering else "fails"
    if set(reach.values()) == {top}:
        text = "holds"
    means = {
        rate: [column(rows, part, kind="raised", learning_rate=rate).mean() for part in ("steps", "epochs")]
        for rate in (low, top)
    }
    return Verdict(
        text,
        f"steps at learning rate {low:g} that raise the loss, percent",
        *mean_interval(column(rows, "steps", kind="raised", learning_rate=low)),
        f"The loss rises in {means[low][0]:.0f} % of the steps and {means[low][1]:.0f} % of the epochs with learning "
        f"rate {low:g}, in {means[top][0]:.0f} % and {means[top][1]:.0f} % with {top:g}",
    )
