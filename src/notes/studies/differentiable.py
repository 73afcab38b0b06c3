"""Must an activation be differentiable?

Back-propagation multiplies by the slope of the activation. A step function is flat to the left and to the right of its
jump: its slope is 0 wherever there is one, the product is 0, and no weight before the step ever moves. ReLU has no
derivative at 0, where its two halves meet. But a sum is hardly ever exactly 0, and then autograd takes 0 for the slope.
So what training needs is less than a derivative everywhere and more than one almost everywhere: a slope that is not 0
where the data is.

A network can look trained though its hidden layer is not: the last layer makes the best of random features. So each
network is trained twice from the same start, once with its hidden layer frozen. What the second one lacks is what the
hidden layer has learnt. The last activation is the step again, which on the way back pretends to have the sigmoid's
slope (a "straight-through" estimate: Bengio et al., 2013). It is as flat as the step, and its gradient is wrong, but
not 0.
"""

import copy
from collections.abc import Sequence
from itertools import repeat

import numpy as np
import torch
from torch import Tensor, nn

from notes.intervals import paired_interval
from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.shared.experiment import generator_for, random_for
from notes.studies.shared.side_by_side import Data, accuracies, descend, losses, moons, stack

CLAIM = "Activation functions must be differentiable."
NOTES = "2. Activation functions"
RULE = (
    "A hidden layer learns if the 95 % interval of the validation accuracy with it trained, minus that with it frozen "
    "at its random start, lies above zero. Holds if it learns with the sigmoid and with neither ReLU nor the step; "
    "holds only almost everywhere if it learns with the sigmoid and ReLU, and not with the step; fails otherwise. The "
    "step with a borrowed slope explains and does not decide."
)


class Step(nn.Module):
    """1 for a positive sum, else 0."""

    def forward(self, sums: Tensor) -> Tensor:
        step: Tensor = (sums.sign() + 1) / 2  # torch gives `sign` the slope 0
        return step


class BorrowedSlope(nn.Module):
    """A step on the way forward and a sigmoid on the way back."""

    def forward(self, sums: Tensor) -> Tensor:
        smooth = torch.sigmoid(sums)
        outputs: Tensor = smooth + (Step()(sums) - smooth).detach()
        return outputs


FUNCTIONS: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "step": Step,
    "step, sigmoid's slope": BorrowedSlope,
}


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row an activation and repetition: accuracy with the hidden layer frozen and trained; its gradient."""
    repetitions = range(settings.repetitions)
    randoms = [random_for(seed, repetition) for repetition in repetitions]
    points, new_points = moons(settings.rows, randoms), moons(settings.validation_rows, randoms)
    rows: list[Row] = []
    for name in FUNCTIONS:
        generators = [generator_for(seed, repetition, 1) for repetition in repetitions]
        trained = start(name, settings.hidden_size, generators)
        frozen = copy.deepcopy(trained)
        frozen[0].requires_grad_(False)
        gradients = hidden_gradients(trained, points)
        for networks in (frozen, trained):
            optimizer = make_optimizer(networks, "adam", settings.learning_rate)
            for _ in descend(networks, repeat(points, settings.steps), optimizer):
                pass
        percent = ((100 * accuracies(networks, new_points)).tolist() for networks in (frozen, trained))
        found = zip(gradients, *percent, strict=True)
        rows += [
            {"activation": name, "repetition": number, "gradient": gradient, "frozen": before, "trained": after}
            for number, (gradient, before, after) in enumerate(found)
        ]
    return rows


def start(activation: str, hidden_size: int, generators: Sequence[torch.Generator]) -> nn.Sequential:
    """Return a network for each generator, with one hidden layer of this activation."""
    networks = stack([Mlp(2, [hidden_size], 2).initialise(generator) for generator in generators])
    networks[1] = FUNCTIONS[activation]()
    return networks


def hidden_gradients(networks: nn.Sequential, data: Data) -> list[float]:
    """Return the length of each network's gradient with respect to the weights of its hidden layer."""
    (gradient,) = torch.autograd.grad(losses(networks, data).sum(), [networks[0].get_parameter("weight")])
    return [float(length) for length in gradient.flatten(1).norm(dim=1)]


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE."""
    gains = {
        name: paired_interval(column(rows, "trained", activation=name), column(rows, "frozen", activation=name))
        for name in FUNCTIONS
    }
    *_, borrowed = FUNCTIONS
    learns = {name for name in ("sigmoid", "relu", "step") if gains[name].low > 0}
    texts = {
        frozenset({"sigmoid"}): "holds",
        frozenset({"sigmoid", "relu"}): "holds only almost everywhere: a kink does no harm",
    }
    return Verdict(
        texts.get(frozenset(learns), "fails"),
        "validation accuracy that training the hidden layer adds with ReLU, percentage points",
        *gains["relu"],
        f"Training the hidden layer adds {gains['sigmoid'].value:.1f} points with a sigmoid, "
        f"{gains['relu'].value:.1f} with ReLU, {gains['step'].value:.1f} with a step, and "
        f"{gains[borrowed].value:.1f} with a step that borrows the sigmoid's slope",
    )
