"""What happens to training when the gradients are not cleared?

`backward()` adds to the gradients that are there. Left uncleared, the step at time t follows the sum of all gradients
since the start: g₁ + … + gₜ. The notes clear for: no accumulation, independent iterations, no explosion.

A straight line by full-batch descent can be worked out: with curvature λ and learning rate η the distance from the
optimum obeys e(t+1) - 2 e(t) + e(t-1) = -ηλ e(t). That is a spring without friction (momentum with coefficient 1):
for ηλ < 4 it swings for ever, and neither settles nor explodes. Plain descent itself explodes from ηλ = 2 on. A
network on mini-batches has noise in each gradient. The sum keeps it all, and its steps wander off as a random walk.

The loop below is this study's own, because the claim is about a line of the loop.
"""

import math
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from notes.intervals import Interval, mean_interval
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.sources.synthetic import make_linear, make_moons
from notes.studies.shared.base import Row, Verdict, column

CLAIM = "Without clearing, gradients accumulate from step to step, so that updates grow and training breaks."
NOTES = "6. Linear regression in code: why gradients are cleared"
RULE = (
    "A learning rate counts if training with clearing works there: in every repetition the last tenth of the steps "
    "has under half of the first loss. Training breaks if, without clearing, the loss of the last tenth is more than "
    "twice that with clearing; updates grow if, without clearing, they are on average more than 1.5 times as long in "
    "the second half of the steps as in the first; both by the low end of the 95 % interval of the geometric mean. "
    "Holds if both happen at every learning rate that counts, holds under those where they do, fails if that is none."
)
BROKEN, GROWN = 2.0, 1.5
BLOCKS = 20  # of equal length: the table has the mean of each
LAST = -(BLOCKS // 10)  # the blocks of the last tenth of the steps
SHOWN = 1e-6, 1e3  # what explodes or falls to the last bit leaves the picture
LIMIT = 1e12  # a loss beyond it has exploded; the run ends and keeps its last values


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a block of steps of each run: its mean loss and mean length of update."""
    rows: list[Row] = []
    for problem, start in PROBLEMS.items():
        for learning_rate, cleared in product(settings.learning_rates, (True, False)):
            for repetition in range(settings.repetitions):
                parameters, loss_of = start(settings, generator_seed + repetition)
                history = list(descend(parameters, loss_of, learning_rate, settings.steps, cleared=cleared))
                exploded = len(history) < settings.steps
                history += [history[-1]] * (settings.steps - len(history))
                for block, part in enumerate(np.array_split(np.array(history), BLOCKS)):
                    loss, update = part.mean(axis=0)
                    rows.append(
                        {
                            "problem": problem,
                            "learning_rate": learning_rate,
                            "cleared": cleared,
                            "repetition": repetition,
                            "last_step": settings.steps * (block + 1) // BLOCKS,
                            "loss": float(loss),
                            "update_length": float(update),
                            "first_loss": history[0][0],
                            "exploded": exploded,
                        }
                    )
    return rows


def descend(
    parameters: list[Tensor], loss_of: Callable[[], Tensor], learning_rate: float, steps: int, *, cleared: bool
) -> Iterator[tuple[float, float]]:
    """Take steps of gradient descent, with or without clearing; yield the loss and the length of each update."""
    for _ in range(steps):
        loss = loss_of()
        if cleared:
            for parameter in parameters:
                parameter.grad = None
        loss.backward()
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= learning_rate * gradient
            length = learning_rate * math.sqrt(sum((gradient**2).sum().item() for gradient in gradients))
        if not loss.item() < LIMIT:
            return
        yield loss.item(), length


def start_line(settings: Settings, seed: int) -> tuple[list[Tensor], Callable[[], Tensor]]:
    """Return the parameters of a line and its mean squared error over all rows: full-batch descent."""
    table = make_linear(rows=settings.rows, slope=2.5, intercept=-1.0, noise=0.8, generator=np.random.default_rng(seed))
    x, y = torch.tensor(table["x1"].to_numpy()), torch.tensor(table["y"].to_numpy())
    weight = torch.randn(1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    return [weight, bias], lambda: ((x * weight + bias - y) ** 2).mean()


def start_mlp(settings: Settings, seed: int) -> tuple[list[Tensor], Callable[[], Tensor]]:
    """Return the parameters of an MLP and its cross-entropy over a mini-batch of moons, a new one at each call."""
    table = make_moons(rows=settings.rows, noise=0.2, generator=np.random.default_rng(seed))
    inputs = torch.tensor(table[["x1", "x2"]].to_numpy(np.float32))
    labels = torch.tensor(table["y"].to_numpy())
    generator = torch.Generator().manual_seed(seed)
    network = Mlp(2, [settings.hidden_size], 2).initialise(generator)

    def loss_of() -> Tensor:
        batch = torch.randint(settings.rows, (settings.batch_size,), generator=generator)
        return functional.cross_entropy(network(inputs[batch]), labels[batch])

    return list(network.parameters()), loss_of


PROBLEMS = {"line": start_line, "MLP": start_mlp}


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE."""
    cases = [
        (problem, rate) for problem in PROBLEMS for rate in settings.learning_rates if _trains(rows, problem, rate)
    ]
    broken = {case: worse_by(rows, *case) for case in cases}
    grown = {case: growth(rows, *case) for case in cases}
    both = [case for case in cases if broken[case].low > BROKEN and grown[case].low > GROWN]
    if not cases:
        return Verdict("fails", "growth of the update", 1.0, 1.0, 1.0, "No learning rate trains, even with clearing")
    named = ", ".join(f"{problem} at learning rate {rate:g}" for problem, rate in both)
    text = "holds" if both == cases else f"holds under {named}" if both else "fails"
    least = min(cases, key=lambda case: grown[case].value)
    growths = []
    for problem in dict.fromkeys(problem for problem, _ in cases):
        values = sorted(f"{interval.value:.1f}" for case, interval in grown.items() if case[0] == problem)
        growths.append(f"{' to '.join(dict.fromkeys((values[0], values[-1])))} times as long on the {problem}")
    finding = (
        f"Without clearing, training breaks at {sum(interval.low > BROKEN for interval in broken.values())} of the "
        f"{len(cases)} learning rates that work with it; over time its updates become {' and '.join(growths)}"
    )
    effect = f"growth of the update without clearing where it is least: {least[0]} at learning rate {least[1]:g}"
    return Verdict(text, effect, *grown[least], finding)


def worse_by(rows: list[Row], problem: str, learning_rate: float) -> Interval:
    """Return the final loss without clearing as a multiple of that with clearing: geometric mean over repetitions."""
    cleared, not_cleared = (
        means_of_blocks(rows, problem, learning_rate, one, "loss")[:, LAST:] for one in (True, False)
    )
    return _geometric_mean(not_cleared.mean(axis=1) / cleared.mean(axis=1))


def growth(rows: list[Row], problem: str, learning_rate: float) -> Interval:
    """Return the update's length in the second half as a multiple of that in the first, without clearing."""
    first, second = np.split(means_of_blocks(rows, problem, learning_rate, False, "update_length"), 2, axis=1)
    return _geometric_mean(second.mean(axis=1) / first.mean(axis=1))


def _geometric_mean(ratios: np.ndarray) -> Interval:
    return Interval(*(float(end) for end in np.exp(mean_interval(np.log(ratios)))))


def _trains(rows: list[Row], problem: str, learning_rate: float) -> bool:
    loss, first = (means_of_blocks(rows, problem, learning_rate, True, name) for name in ("loss", "first_loss"))
    return bool((loss[:, LAST:].mean(axis=1) < first[:, 0] / 2).all())


def means_of_blocks(rows: list[Row], problem: str, learning_rate: float, cleared: bool, name: str) -> np.ndarray:
    """Return a column as an array (repetitions, blocks)."""
    return column(rows, name, problem=problem, learning_rate=learning_rate, cleared=cleared).reshape(-1, BLOCKS)
