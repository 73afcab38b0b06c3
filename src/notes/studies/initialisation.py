"""Where should training start: from constants, from random numbers, or from a trained model?

The notes start their line from random weights and a zero bias, and say that the choice depends on the problem. For a
single neuron under the squared error it can hardly matter: the valley has one lowest point, and any start slides into
it. A network with hidden units is different. Units that start equal get equal gradients and stay equal for ever:
however wide the layer is, it computes one feature (symmetry, which random numbers break). From zeros with ReLU not
even that one unit moves. Pretrained weights are those of a related problem, already solved.

Every start of a repetition meets the same data in the same order, and is measured by the updates that it takes to the
target, against those of the start that takes the fewest there.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from notes.data.tasks import Split
from notes.intervals import Interval, mean_interval
from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp
from notes.networks.regression import Powers, ScratchRegression, fit_regression
from notes.settings import Settings
from notes.sources.synthetic import make_multivariate
from notes.studies.shared.base import Row, Verdict, as_factor, choosing, column, judging, rows_where
from notes.studies.shared.experiment import generator_for, random_for
from notes.studies.shared.side_by_side import (
    Data,
    Reached,
    StackedLinear,
    descend,
    losses,
    moons,
    shuffled_batches,
    stack,
    until,
)

CLAIM = "Constants, random numbers or pretrained weights: which start is good depends on the problem."
NOTES = "6. Linear regression in code: initialisation"
RULE = (
    "The best start of a problem takes the fewest updates to the target: geometric mean over the even repetitions; a "
    "run that never gets there counts with all its updates. The cost of a start is its updates over the best one's, "
    "geometric mean over the odd repetitions: it is good if the 95 % interval lies below 2, bad if it lies above. "
    "Holds if a start is good for one of the two problems and bad for the other, fails otherwise. The updates of the "
    "pretraining itself are not counted."
)
STARTS = ("zeros", "constant", "random", "pretrained")
PROBLEMS = ("linear regression", "network")
BAD = 2.0


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a run: the updates to the target, and how many hidden units differ at the end."""
    rows: list[Row] = []
    for start in STARTS:
        linear = [(run_linear(settings, start, seed, repetition), 0) for repetition in range(settings.repetitions)]
        for problem, runs in zip(PROBLEMS, (linear, run_networks(settings, start, seed)), strict=True):
            for repetition, (run, distinct) in enumerate(runs):
                case = {"problem": problem, "start": start, "repetition": repetition}
                rows.append(case | run._asdict() | {"distinct_hidden_units": distinct})
    return rows


def run_linear(settings: Settings, start: str, seed: np.random.SeedSequence, repetition: int) -> Reached:
    """Descend on a linear regression until no gradient is larger than the target."""
    random = random_for(seed, repetition)
    true = random.standard_normal(settings.features)
    table = make_multivariate(
        rows=settings.rows, weights=true.tolist(), intercept=1.0, noise=0.5, correlation=0.5, generator=random
    )
    data = Split(table.drop(columns="y").to_numpy(copy=True), table["y"].to_numpy(copy=True))
    powers = Powers(settings.features, 1)  # not fitted: the features are standard normal as they are
    bias = torch.zeros(1, dtype=torch.float64)
    if start == "random":
        weight = torch.randn(settings.features, dtype=torch.float64, generator=generator_for(seed, repetition))
    elif start == "pretrained":
        weight = torch.from_numpy(true + settings.related * random.standard_normal(settings.features))
        bias += 1.0
    else:
        weight = torch.full((settings.features,), _constant(settings, start), dtype=torch.float64)
        bias += _constant(settings, start)
    neuron = ScratchRegression(powers, weight, bias, settings.linear_learning_rate)
    *_, last = fit_regression(
        neuron, data, data, max_iterations=settings.max_iterations, tolerance=settings.gradient_target
    )
    return Reached(int(last["epoch"]), last["train/largest_gradient"] <= settings.gradient_target)


def run_networks(settings: Settings, start: str, seed: np.random.SeedSequence) -> list[tuple[Reached, int]]:
    """Train MLPs on moons to the target loss; return for each repetition the run, and its distinct hidden units."""
    repetitions = range(settings.repetitions)
    draws = [random_for(seed, repetition, 1) for repetition in repetitions]
    data, unseen, related, unseen_related = (moons(settings.rows, draws) for _ in range(4))
    networks = [Mlp(2, settings.hidden_sizes, 2).initialise(generator_for(seed, n, 1)) for n in repetitions]
    if start in ("zeros", "constant"):
        for network in networks:
            for parameter in network.parameters():
                nn.init.constant_(parameter, _constant(settings, start))
    together = stack(networks)
    if start == "pretrained":  # on the same two moons, turned around: related, yet not the same
        pair = turned(related, settings.related), turned(unseen_related, settings.related)
        train(settings, together, *pair, [generator_for(seed, n, 2) for n in repetitions])
    runs = train(settings, together, data, unseen, [generator_for(seed, n, 3) for n in repetitions])
    first = together[0]
    assert isinstance(first, StackedLinear)
    units = [len(torch.unique(weight.detach(), dim=1).T) if settings.hidden_sizes else 0 for weight in first.weight]
    return list(zip(runs, units, strict=True))


def train(
    settings: Settings,
    networks: nn.Module,
    data: Data,
    held_out: Data,
    generators: Sequence[torch.Generator],
) -> list[Reached]:
    """Train until the losses on held-out data, looked at after each epoch, are at the target."""
    batches = shuffled_batches(data, settings.batch_size, epochs=settings.epochs, generators=generators)
    updates = descend(networks, batches, make_optimizer(networks, "adam", settings.mlp_learning_rate))
    an_epoch = math.ceil(settings.rows / settings.batch_size)
    return until(updates, lambda: losses(networks, held_out) <= settings.loss_target, every=an_epoch)


def _constant(settings: Settings, start: str) -> float:
    constants: dict[str, float] = {"zeros": 0.0, "constant": settings.constant}
    return constants[start]


def turned(data: Data, angle: float) -> Data:
    """Return data of two features, turned about the origin by an angle in radians."""
    inputs, labels = data
    rotation = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return inputs @ rotation, labels


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the largest contrast between the costs of a start in the two problems."""
    logarithms = {problem: {start: log_cost(rows, problem, start) for start in STARTS} for problem in PROBLEMS}
    linear, network = (
        {start: as_factor(mean_interval(values)) for start, values in costs.items()} for costs in logarithms.values()
    )
    depends = any(
        (one[start].high < BAD and other[start].low > BAD)
        for start in STARTS
        for one, other in ((linear, network), (network, linear))
    )
    apart = {start: logarithms[PROBLEMS[1]][start] - logarithms[PROBLEMS[0]][start] for start in STARTS}
    widest = max(STARTS, key=lambda start: abs(float(apart[start].mean())))
    finding = (
        f"Updates to the target as a multiple of the best start's: in linear regression {_listed(rows, linear, 0)}; "
        f"in a network {_listed(rows, network, 1)}"
    )
    effect = f"what a start of {widest} costs over the best start: a network's multiple over linear regression's"
    return Verdict("holds" if depends else "fails", effect, *as_factor(mean_interval(apart[widest])), finding)


def best_start(rows: list[Row], problem: str) -> str:
    """Return the start with the fewest updates to the target over the even repetitions."""
    runs = choosing(rows_where(rows, problem=problem))
    return min(STARTS, key=lambda start: float(np.log(column(runs, "updates", start=start)).mean()))


def log_cost(rows: list[Row], problem: str, start: str) -> np.ndarray:
    """Return log(updates of a start / updates of the problem's best start) for each odd repetition."""
    runs = judging(rows_where(rows, problem=problem))
    updates, fewest = (np.log(column(runs, "updates", start=one)) for one in (start, best_start(rows, problem)))
    logarithms: np.ndarray = updates - fewest
    return logarithms


def _listed(rows: list[Row], costs: dict[str, Interval], problem: int) -> str:
    runs = rows_where(rows, problem=PROBLEMS[problem])
    parts = []
    for start, cost in costs.items():
        least = "" if column(runs, "reached", start=start).all() else "at least "
        parts.append(f"{start} {least}{cost.value:.2g}")
    return ", ".join(parts)
