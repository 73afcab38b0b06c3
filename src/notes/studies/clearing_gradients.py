"""What happens to training when the gradients are not cleared?

`backward()` adds to the gradients that are there. Left uncleared, the step at time t follows the sum of all gradients
since the start: g₁ + … + gₜ, those of long ago as much as the last one.

A straight line by full-batch descent can be worked out: with curvature λ and learning rate η the distance from the
optimum obeys e(t+1) - 2 e(t) + e(t-1) = -ηλ e(t). That is a spring without friction (momentum with coefficient 1):
for ηλ < 4 it swings for ever and never settles; plain descent itself explodes from ηλ = 2 on. A network on
mini-batches has noise in each gradient. The sum keeps it all, and its steps wander off as a random walk: the sooner,
the larger they are.

The loop below is this study's own, because the claim is about a line of the loop.
"""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import torch
from torch import Tensor

from notes.intervals import Interval, mean_interval
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.sources.synthetic import make_linear
from notes.studies.shared.base import Row, Verdict, as_factor, column, listed, text_of
from notes.studies.shared.experiment import generator_for, random_for
from notes.studies.shared.side_by_side import losses, moons, stack

CLAIM = "Gradients must be cleared: where training works with clearing, it ends at a worse loss without."
NOTES = "6. Linear regression in code: why gradients are cleared"
RULE = (
    "A learning rate works if with clearing the mean loss of the last tenth of the steps is less than half the first "
    "loss; training is spoilt there if without clearing that mean is more than twice the one with clearing; both by "
    "the 95 % interval of the geometric mean over the repetitions. Holds if both problems, the line and the network, "
    "are spoilt at every learning rate that works, holds only for the one that is, fails if none is."
)
WORKS, SPOILT = 0.5, 2.0
BLOCKS = 20  # of equal length: the table has the mean of each
LAST = -(BLOCKS // 10)  # the blocks of the last tenth of the steps
LIMIT = 1e12  # a loss beyond it has exploded, and counts as this

Draws = list[tuple[np.random.Generator, torch.Generator]]  # one a repetition


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a block of steps of each run: its mean loss."""
    rows: list[Row] = []
    for problem, start in PROBLEMS.items():
        for learning_rate, cleared in product(settings.learning_rates, (True, False)):
            draws = [(random_for(seed, n), generator_for(seed, n)) for n in range(settings.repetitions)]
            parameters, losses_of = start(settings, draws)
            losses = list(descend(parameters, losses_of, learning_rate, settings.steps, cleared=cleared))
            for repetition, history in enumerate(np.array(losses).T):
                case = {"problem": problem, "learning_rate": learning_rate, "cleared": cleared}
                case |= {"repetition": repetition, "first_loss": float(history[0])}
                for block, part in enumerate(np.array_split(history, BLOCKS), start=1):
                    rows.append(case | {"last_step": settings.steps * block // BLOCKS, "loss": float(part.mean())})
    return rows


def descend(
    parameters: list[Tensor], losses_of: Callable[[], Tensor], learning_rate: float, steps: int, *, cleared: bool
) -> Iterator[list[float]]:
    """Take steps of gradient descent, with or without clearing, and yield the losses before each.

    The runs (repetitions,) go side by side: the gradient of the sum of their losses is that of each for its own
    parameters. A run that explodes goes on with the loss LIMIT.
    """
    for _ in range(steps):
        losses = losses_of()
        if cleared:
            for parameter in parameters:
                parameter.grad = None
        losses.sum().backward()
        with torch.no_grad():
            for parameter in parameters:
                assert parameter.grad is not None
                parameter -= learning_rate * parameter.grad
        yield losses.detach().nan_to_num(nan=LIMIT, posinf=LIMIT).clamp(max=LIMIT).tolist()


def start_lines(settings: Settings, draws: Draws) -> tuple[list[Tensor], Callable[[], Tensor]]:
    """Return the parameters of a line a draw, and their mean squared errors over all rows: full-batch descent."""
    tables = [
        make_linear(rows=settings.rows, slope=2.5, intercept=-1.0, noise=0.8, generator=random) for random, _ in draws
    ]
    x, y = (torch.tensor(np.stack([table[name].to_numpy() for table in tables])) for name in ("x1", "y"))
    weights = [torch.randn(1, dtype=torch.float64, generator=generator) for _, generator in draws]
    weight, bias = torch.stack(weights).requires_grad_(), torch.zeros(len(draws), 1, dtype=torch.float64)
    bias.requires_grad_()
    return [weight, bias], lambda: ((x * weight + bias - y) ** 2).mean(dim=1)


def start_networks(settings: Settings, draws: Draws) -> tuple[list[Tensor], Callable[[], Tensor]]:
    """Return the parameters of an MLP a draw, and their cross-entropies over mini-batches of moons, new each time."""
    inputs, labels = moons(settings.rows, [random for random, _ in draws])
    networks = stack([Mlp(2, [settings.hidden_size], 2).initialise(generator) for _, generator in draws])
    each, size = torch.arange(len(draws))[:, None], (settings.batch_size,)

    def losses_of() -> Tensor:
        batch = torch.stack([torch.randint(settings.rows, size, generator=generator) for _, generator in draws])
        return losses(networks, (inputs[each, batch], labels[each, batch]))

    return list(networks.parameters()), losses_of


PROBLEMS = {"line": start_lines, "network": start_networks}


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the factor in loss where clearing matters least."""
    worse = {
        problem: {rate: worse_by(rows, problem, rate) for rate in settings.learning_rates if works(rows, problem, rate)}
        for problem in PROBLEMS
    }
    spoilt = {
        problem: [rate for rate, factor in factors.items() if factor.low > SPOILT] for problem, factors in worse.items()
    }
    passed = [
        f"the {problem}" for problem in PROBLEMS if spoilt[problem] and len(spoilt[problem]) == len(worse[problem])
    ]
    effect = "loss without clearing over that with it at the end, where it is least"
    cases = [(factor, problem, rate) for problem, factors in worse.items() for rate, factor in factors.items()]
    if not cases:
        return Verdict("fails", effect, 1.0, 1.0, 1.0, "No learning rate works, even with clearing")
    least, problem, rate = min(cases)
    counts = [f"{len(spoilt[name])} of {len(factors)} on the {name}" for name, factors in worse.items()]
    finding = (
        f"Of the learning rates that work with clearing, training without it is spoilt at {listed(counts)}; least on "
        f"the {problem} at learning rate {rate:g}, where the loss ends {least.value:.2g} times as high"
    )
    return Verdict(text_of(passed, list(PROBLEMS)), effect, *least, finding)


def worse_by(rows: list[Row], problem: str, learning_rate: float) -> Interval:
    """Return the final loss without clearing as a multiple of that with clearing: geometric mean over repetitions."""
    cleared, not_cleared = (last_tenth(rows, problem, learning_rate, one) for one in (True, False))
    return _geometric_mean(not_cleared / cleared)


def works(rows: list[Row], problem: str, learning_rate: float) -> bool:
    """Return whether training with clearing gets below half the first loss."""
    first = blocks(rows, problem, learning_rate, True, "first_loss")[:, 0]
    return _geometric_mean(last_tenth(rows, problem, learning_rate, True) / first).high < WORKS


def _geometric_mean(ratios: np.ndarray) -> Interval:
    return as_factor(mean_interval(np.log(ratios)))


def last_tenth(rows: list[Row], problem: str, learning_rate: float, cleared: bool) -> np.ndarray:
    """Return each repetition's mean loss over the last tenth of the steps."""
    means: np.ndarray = blocks(rows, problem, learning_rate, cleared)[:, LAST:].mean(axis=1)
    return means


def blocks(rows: list[Row], problem: str, learning_rate: float, cleared: bool, name: str = "loss") -> np.ndarray:
    """Return a column as an array (repetitions, blocks)."""
    return column(rows, name, problem=problem, learning_rate=learning_rate, cleared=cleared).reshape(-1, BLOCKS)
