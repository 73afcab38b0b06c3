"""Without clearing, do gradients explode?

Uncleared, the step at time t follows G(t) = g(1) + … + g(t). On a parabola of curvature λ, with learning rate η, two
steps together read w(t+1) - 2w(t) + w(t-1) = -ηλ w(t). Its solutions are powers of the roots of z² - (2 - ηλ)z + 1,
whose product is 1. Below ηλ = 4 they lie on the unit circle: w and G swing for ever, like a spring without friction,
and grow no further. From 4 on one root is beyond -1, and G grows exponentially. Descent with clearing explodes from ηλ
= 2 on already. So there is a range where clearing explodes and not clearing does not, and none the other way round.

Mini-batches change this. Each has a curvature of its own, and so shakes the spring at random. Whatever the learning
rate, the mean square of the swing is multiplied again and again: growth without bound, exponential, though slow for a
small learning rate. Clearing has a friction against it. The study fits a slope by both, in units of 1/λ.
"""

import numpy as np

from notes.intervals import Interval, mean_interval
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, as_factor, column
from notes.studies.shared.experiment import random_for

CLAIM = "Without clearing, gradients grow without bound: they explode."
NOTES = "6. Linear regression in code: why gradients are cleared"
RULE = (
    "`learning_rates` count, all below 2/λ: there descent with clearing settles. The accumulated gradient explodes at "
    "one if its largest value in the second half of the steps is more than 10 times that in the first, by the low end "
    "of the 95 % interval of the geometric mean over the repetitions (growth as the root of time would be 1.4 times, "
    "in proportion to it 2 times). Holds if it explodes at all that count, with all rows and with mini-batches; holds "
    "only for the one kind of step with which it does at all; holds only at some learning rates if it does at some; "
    "fails if at none."
)
EXPLODED = 10.0
BLOCKS = 20  # of equal length: the table has the largest gradient of each
LIMIT = 1e200  # a gradient stays there once it has got so far
KINDS = ("all rows", "mini-batches")


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a kind of step, learning rate, with or without clearing, repetition and block of steps."""
    rows: list[Row] = []
    rates = [*settings.learning_rates, *settings.high_learning_rates]
    for kind in KINDS:
        parabolas = [
            parabola(settings, kind, random_for(seed, repetition)) for repetition in range(settings.repetitions)
        ]
        slopes, pulls = (np.stack(values, axis=1) for values in zip(*parabolas, strict=True))
        for cleared in (True, False):
            history = np.abs(descend(slopes, pulls, np.array(rates), cleared=cleared))
            largest = np.stack([part.max(axis=0) for part in np.array_split(history, BLOCKS)])
            rows += [
                {"kind": kind, "learning_rate": rate, "cleared": cleared, "repetition": repetition}
                | {
                    "last_step": settings.steps * (block + 1) // BLOCKS,
                    "largest": float(largest[block, number, repetition]),
                }
                for number, rate in enumerate(rates)
                for repetition in range(settings.repetitions)
                for block in range(BLOCKS)
            ]
    return rows


def parabola(settings: Settings, kind: str, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a and b of the gradient a·w - b at each step (steps,): the slope of a line through new points.

    Points are scaled so that over all of them a is 1: learning rates are in units of 1/λ.
    """
    x = random.standard_normal(settings.rows)
    x /= np.sqrt((x**2).mean())
    y = 2 * x + random.standard_normal(settings.rows)
    if kind == "all rows":
        batches = np.broadcast_to(np.arange(settings.rows), (settings.steps, settings.rows))
    else:
        batches = random.integers(settings.rows, size=(settings.steps, settings.batch_size))
    return (x**2)[batches].mean(axis=1), (x * y)[batches].mean(axis=1)


def descend(slopes: np.ndarray, pulls: np.ndarray, rates: np.ndarray, *, cleared: bool) -> np.ndarray:
    """Return the gradient of each step (steps, rates, repetitions); the weight starts at 0."""
    weight = gradient = np.zeros((len(rates), slopes.shape[1]))
    history = []
    for slope, pull in zip(slopes, pulls, strict=True):
        new = slope * weight - pull
        gradient = np.clip(new if cleared else gradient + new, -LIMIT, LIMIT)
        weight = weight - rates[:, None] * gradient
        history.append(gradient)
    return np.stack(history)


def growth(rows: list[Row], kind: str, rate: float, *, cleared: bool = False) -> Interval:
    """Return the largest gradient of the second half over that of the first: geometric mean over the repetitions."""
    values = column(rows, "largest", kind=kind, learning_rate=rate, cleared=cleared).reshape(-1, BLOCKS)
    first, second = (half.max(axis=1) for half in np.split(values, 2, axis=1))
    ratios = np.where(second >= LIMIT, LIMIT, second / first)
    return as_factor(mean_interval(np.log(ratios)))


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the growth on mini-batches at the lowest learning rate."""
    rates = settings.learning_rates
    grown = {
        (kind, rate): growth(rows, kind, rate) for kind in KINDS for rate in [*rates, *settings.high_learning_rates]
    }
    exploding = {(kind, rate) for (kind, rate), factor in grown.items() if factor.low > EXPLODED and rate in rates}
    whole = [kind for kind in KINDS if all((kind, rate) in exploding for rate in rates)]
    text = f"holds only for {whole[0]}" if whole else "holds only at some learning rates" if exploding else "fails"
    most = max(grown["all rows", rate].value for rate in rates)
    least = min(grown["mini-batches", rate].value for rate in rates)
    over = [rate for rate in settings.high_learning_rates if grown["all rows", rate].low > EXPLODED]
    return Verdict(
        "holds" if len(whole) == len(KINDS) else text,
        f"accumulated gradient in the second half over that in the first, mini-batches, learning rate "
        f"{min(rates):g}/λ, a factor",
        *grown["mini-batches", min(rates)],
        f"In the second half of the steps the sum of gradients grows by a factor of {most:.2f} on all rows, but of "
        f"{least:.0e} or more on mini-batches; on all rows it explodes "
        f"{f'from {min(over):g}/λ on' if over else 'at no learning rate'}",
    )
