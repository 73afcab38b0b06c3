"""When does a higher dimension make separable what was not?

Two rings, one inside the other: no straight line has one of them to its left and the other to its right. Add a third
number to each point, x₁² + x₂², and a plane lies between them. That third number is not linear in the first two, and
this is what matters. A linear map into a thousand dimensions puts the points on a plane in there: whatever flat cut one
makes, on that plane it is a straight line again.

A hidden layer is both, a linear map into as many dimensions as it has units, then a bend in each. The study trains a
linear classifier on the points themselves, behind a linear layer, and behind a layer with an activation, narrow and
wide. A layer of two units bends the plane and adds no dimension; continuous and one-to-one as it would have to be, it
cannot bring an inner ring out of an outer one. "Separable" means here what training finds.
"""

import math
from collections.abc import Sequence
from itertools import repeat

import numpy as np
import torch
from torch import nn

from notes.intervals import Interval, mean_interval
from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.shared.experiment import generator_for, random_for, without_activation
from notes.studies.shared.side_by_side import Data, accuracies, descend, stack

CLAIM = "What is not linearly separable becomes separable in a higher dimension."
NOTES = "2. Activation functions"
RULE = (
    "Points are separated if on new points the mean accuracy, over the repetitions, is above `separated` percent. The "
    "widest hidden layer counts as the higher dimension. Holds if the points themselves are not separated, and both "
    "the linear map and the map with an activation separate them; holds only with an activation if that one does "
    "alone; fails otherwise."
)
MAPS = {"linear": "linear map", "bent": "map with an activation"}


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a map, its dimensions and repetition: the accuracy on new points."""
    randoms = [random_for(seed, repetition) for repetition in range(settings.repetitions)]
    points, new_points = rings(settings.rows, randoms), rings(settings.validation_rows, randoms)
    rows: list[Row] = []
    for kind, width in [("none", 2), *((kind, width) for kind in MAPS for width in settings.widths)]:
        generators = [generator_for(seed, repetition, 1) for repetition in range(settings.repetitions)]
        networks = start(kind, width, settings.activation, generators)
        optimizer = make_optimizer(networks, "adam", settings.learning_rate)
        for _ in descend(networks, repeat(points, settings.steps), optimizer):
            pass
        rows += [
            {"map": kind, "dimensions": width, "repetition": repetition, "accuracy": accuracy}
            for repetition, accuracy in enumerate((100 * accuracies(networks, new_points)).tolist())
        ]
    return rows


def start(kind: str, width: int, activation: str, generators: Sequence[torch.Generator]) -> nn.Sequential:
    """Return a linear classifier for each generator: of the points themselves, or behind a map to `width` numbers."""
    sizes = [] if kind == "none" else [width]
    networks = [Mlp(2, sizes, 2, activation=activation).initialise(generator) for generator in generators]
    return stack([without_activation(network) if kind == "linear" else network for network in networks])


def rings(rows: int, randoms: Sequence[np.random.Generator]) -> Data:
    """Return points around circles of radius 1 and 2 about the origin, apart by ten deviations of the noise."""
    labels = np.arange(rows) % 2
    inputs = []
    for random in randoms:
        angles = random.uniform(0, 2 * math.pi, rows)
        radii = 1 + labels + 0.1 * random.standard_normal(rows)
        inputs.append(radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    return torch.tensor(np.stack(inputs), dtype=torch.float32), torch.tensor(np.stack([labels] * len(randoms)))


def mean_accuracy(rows: list[Row], kind: str, width: int) -> Interval:
    """Return the mean accuracy over the repetitions."""
    return mean_interval(column(rows, "accuracy", map=kind, dimensions=width))


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE."""
    narrow, wide = min(settings.widths), max(settings.widths)
    flat, linear, bent = (mean_accuracy(rows, *case) for case in (("none", 2), ("linear", wide), ("bent", wide)))
    separated = [one.value > settings.separated for one in (flat, linear, bent)]
    texts = {(False, True, True): "holds", (False, False, True): "holds only with an activation"}
    return Verdict(
        texts.get((separated[0], separated[1], separated[2]), "fails"),
        f"accuracy on new points behind {wide} units with an activation, percent",
        *bent,
        f"A straight line gets {flat.value:.0f} % of the rings right; a linear map into {wide} dimensions "
        f"{linear.value:.0f} %, one with an activation {bent.value:.1f} %, and into {narrow} dimensions "
        f"{mean_accuracy(rows, 'bent', narrow).value:.0f} %",
    )
