"""Where should training start: from constants, from random numbers, or from a trained model?

The notes start their line from random weights and a zero bias, and say that the choice depends on the problem. For a
single neuron under the squared error it can hardly matter: the valley has one lowest point, and any start slides into
it. A network with hidden units is different. Units that start equal get equal gradients and stay equal for ever:
however wide the layer is, it computes one feature (symmetry, which random numbers break). From zeros with ReLU not
even that one unit moves. Pretrained weights are those of a related problem, already solved.

Every start of a repetition meets the same data in the same order.
"""

import math

import numpy as np
import torch
from torch import nn

from notes.data.tasks import Split
from notes.intervals import mean_interval
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier
from notes.networks.regression import Powers, ScratchRegression, fit_regression
from notes.settings import Settings
from notes.sources.synthetic import make_moons, make_multivariate
from notes.studies.shared.base import Row, Verdict, column, rows_where

CLAIM = "Constants, random numbers or pretrained weights: which start is good depends on the problem."
NOTES = "6. Linear regression in code: initialisation"
RULE = (
    "The cost of constants is the number of updates to the target from zeros and from a constant (geometric mean of "
    "both) over that from random numbers; a run that never gets there counts with all the updates it had. It depends "
    "on the problem if the network's cost over the linear regression's is more than 2, or less than 1/2, by the 95 % "
    "interval of the geometric mean over the repetitions: then the claim holds, else it fails."
)
STARTS = ("zeros", "constant", "random", "pretrained")
PROBLEMS = ("linear regression", "network")
DEPENDS = 2.0


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a run: the updates to the target, and how many hidden units differ at the end."""
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        for problem, run in zip(PROBLEMS, (run_linear, run_network), strict=True):
            for start in STARTS:
                updates, reached, distinct = run(settings, start, generator_seed + repetition)
                rows.append(
                    {
                        "problem": problem,
                        "start": start,
                        "repetition": repetition,
                        "updates": updates,
                        "reached": reached,
                        "distinct_hidden_units": distinct,
                    }
                )
    return rows


def run_linear(settings: Settings, start: str, seed: int) -> tuple[int, bool, int]:
    """Descend until no gradient is larger than the target; return updates, whether it got there, and no hidden unit."""
    generator = torch.Generator().manual_seed(seed)
    random = np.random.default_rng(seed)
    true = random.standard_normal(settings.features)
    table = make_multivariate(
        rows=settings.rows, weights=true.tolist(), intercept=1.0, noise=0.5, correlation=0.5, generator=random
    )
    data = Split(table.drop(columns="y").to_numpy(copy=True), table["y"].to_numpy(copy=True))
    powers = Powers(settings.features, 1)  # not fitted: the features are standard normal as they are
    bias = torch.zeros(1, dtype=torch.float64)
    if start == "random":
        weight = torch.randn(settings.features, dtype=torch.float64, generator=generator)
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
    return int(last["epoch"]), last["train/largest_gradient"] <= settings.gradient_target, 0


def run_network(settings: Settings, start: str, seed: int) -> tuple[int, bool, int]:
    """Train an MLP on moons to the target; return updates, whether it got there, and its distinct hidden units."""
    random = np.random.default_rng(seed)
    data, held_out = (_moons(settings.rows, random) for _ in range(2))
    network = Mlp(2, settings.hidden_sizes, 2).initialise(torch.Generator().manual_seed(seed))
    if start == "pretrained":
        # The same two moons, turned around: related, yet not the same.
        related, held_out_related = (_moons(settings.rows, random, settings.related) for _ in range(2))
        train(settings, network, related, held_out_related, seed)
    elif start != "random":
        for parameter in network.parameters():
            nn.init.constant_(parameter, _constant(settings, start))
    updates, reached = train(settings, network, data, held_out, seed)
    first = network.layers[0].weight if settings.hidden_sizes else torch.zeros(0, 2)
    return updates, reached, len(torch.unique(torch.as_tensor(first).detach(), dim=0))


def train(settings: Settings, network: Mlp, data: Split, held_out: Split, seed: int) -> tuple[int, bool]:
    """Train until the validation loss is at the target; return the updates, and whether it got there."""
    options = ClassifierOptions(
        epochs=settings.epochs, batch_size=settings.batch_size, learning_rate=settings.mlp_learning_rate
    )
    updates = 0
    for record in fit_classifier(network, data, held_out, options, generator=torch.Generator().manual_seed(seed)):
        updates += math.ceil(settings.rows / settings.batch_size)
        if record["val/loss"] <= settings.loss_target:
            return updates, True
    return updates, False


def _constant(settings: Settings, start: str) -> float:
    constants: dict[str, float] = {"zeros": 0.0, "constant": settings.constant}
    return constants[start]


def _moons(rows: int, random: np.random.Generator, turn: float = 0.0) -> Split:
    """Return moons turned by an angle in radians."""
    table = make_moons(rows=rows, noise=0.2, generator=random)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return Split((table[["x1", "x2"]].to_numpy() @ rotation).astype(np.float32), table["y"].to_numpy(copy=True))


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE."""
    cost = {
        problem: np.mean([log_updates(rows, problem, start) for start in STARTS[:2]], axis=0)
        - log_updates(rows, problem, "random")
        for problem in PROBLEMS
    }
    interval = mean_interval(cost["network"] - cost["linear regression"])
    value, low, high = (float(end) for end in np.exp(interval))
    depends = low > DEPENDS or high < 1 / DEPENDS
    runs = [row for row in rows_where(rows, problem="network") if row["start"] in STARTS[:2]]
    linear, network = (float(np.exp(cost[problem].mean())) for problem in PROBLEMS)
    reached = sum(row["reached"] for row in runs)
    finding = (
        f"Constants instead of random numbers cost {linear:.1f} times the updates in linear regression, but "
        f"{'at least ' if reached < len(runs) else ''}{network:.1f} times in a network, which then reaches its target "
        f"in {reached} of {len(runs)} runs"
    )
    effect = "updates that constants cost over random numbers: network's factor over linear regression's"
    return Verdict("holds" if depends else "fails", effect, value, low, high, finding)


def log_updates(rows: list[Row], problem: str, start: str) -> np.ndarray:
    return np.log(column(rows, "updates", problem=problem, start=start))
