"""Why the loss is a logarithm: three benefits.

The likelihood of n independent labels is a product of n probabilities. The notes give three reasons to take its
logarithm. It is monotone: the weight with the largest likelihood is the one with the largest logarithm. It turns the
product into a sum. And it compresses the range: n factors of one half are 2⁻ⁿ, below the smallest normal number of
single precision from n = 127 on, while the logarithm is a harmless -0.69 n.

What lies below is flushed to zero, and all weights look alike: no maximum, no gradient, no learning. The study draws
labels from a logistic regression of one weight and computes the likelihood of lists of growing length in single
precision, on a grid of weights, as a product and as a sum of logarithms.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from notes.intervals import mean_interval
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column, rows_where
from notes.studies.shared.experiment import random_for

CLAIM = "The logarithm keeps the maximum, turns products into sums, and compresses the range."
NOTES = "7. Classification"
RULE = (
    "All is in single precision, and a product below the smallest normal number has underflowed. Wherever products "
    "are above it: the likelihood at the weight with the largest sum of logarithms is at most `tolerance` (as a "
    "share) below the largest one (keeps the maximum), and no sum differs from the logarithm of its product by more "
    "than `tolerance` (sums). For the longest list all products underflow, while all sums and the gradient at weight "
    "0 are finite and the gradient is not 0 (compresses the range). A benefit counts if it is there in every "
    "repetition. Holds if all three count, holds only for those that do, fails if none does."
)
BENEFITS = {"maximum": "the maximum", "sums": "the sums", "range": "the range"}
SMALLEST = torch.finfo(torch.float32).tiny


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a length of the list of labels and repetition."""
    rows: list[Row] = []
    weights = torch.linspace(-4, 4, settings.weights)
    for repetition in range(settings.repetitions):
        random = random_for(seed, repetition)
        inputs = random.standard_normal(max(settings.lengths))
        labels = random.random(len(inputs)) < 1 / (1 + np.exp(-settings.true_weight * inputs))
        signed = torch.tensor(np.where(labels, inputs, -inputs), dtype=torch.float32)
        for length in settings.lengths:
            rows.append({"length": length, "repetition": repetition} | compare(signed[:length], weights))
    return rows


def compare(signed: Tensor, weights: Tensor) -> Row:
    """Compute the likelihood of every weight (m,) as a product and as a sum.

    `signed` (n,) are the inputs, minus those of class 0: a label has the probability sigmoid(weight · signed input).
    """
    products, sums = product(signed, weights), log_sum(signed, weights)
    there = products >= SMALLEST
    gap = (sums - products.log())[there].abs().max().item() if there.any() else math.nan
    regret = 1 - (products[sums.argmax()] / products.max()).item() if there.any() else math.nan
    return {
        "underflowed": 1 - there.double().mean().item(),
        "regret": regret,
        "largest_gap": gap,
        "lowest_sum": sums.min().item(),
        "best_weight": weights[sums.argmax()].item(),
        "decades_of_product": (sums.max() - sums.min()).item() / math.log(10),
        "gradient_of_product": slope(product, signed),
        "gradient_of_sum": slope(log_sum, signed),
    }


def product(signed: Tensor, weights: Tensor) -> Tensor:
    """Return the likelihood of each weight, (m,): the product of the labels' probabilities."""
    return torch.sigmoid(weights[:, None] * signed).prod(dim=1)


def log_sum(signed: Tensor, weights: Tensor) -> Tensor:
    """Return the log-likelihood of each weight, (m,): the sum of the logarithms."""
    return functional.logsigmoid(weights[:, None] * signed).sum(dim=1)


def slope(likelihood: Callable[[Tensor, Tensor], Tensor], signed: Tensor) -> float:
    """Return the derivative at weight 0, where training may start."""
    weight = torch.zeros(1, requires_grad=True)
    (gradient,) = torch.autograd.grad(likelihood(signed, weight).sum(), [weight])
    return float(gradient)


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is how many decades the likelihoods of the longest list span."""
    there = [row for row in rows if row["underflowed"] < 1]
    longest = rows_where(rows, length=max(settings.lengths))
    counts = {
        "maximum": bool(there) and all(row["regret"] <= settings.tolerance for row in there),
        "sums": bool(there) and all(row["largest_gap"] <= settings.tolerance for row in there),
        "range": all(
            row["underflowed"] == 1
            and math.isfinite(row["lowest_sum"])
            and math.isfinite(row["gradient_of_sum"])
            and row["gradient_of_sum"] != 0
            for row in longest
        ),
    }
    kept = [BENEFITS[name] for name, there_always in counts.items() if there_always]
    text = f"holds only for {' and '.join(kept)}" if kept else "fails"
    dead = min(
        (n for n in settings.lengths if column(rows, "underflowed", length=n).min() == 1), default=max(settings.lengths)
    )
    return Verdict(
        "holds" if len(kept) == len(counts) else text,
        f"decades between the likelihoods of the best and the worst weight, {max(settings.lengths):,} labels",
        *mean_interval(column(longest, "decades_of_product")),
        f"At {dead:,} labels every product has underflowed and has the gradient "
        f"{np.abs(column(rows, 'gradient_of_product', length=dead)).max():.0f}; the sum of logarithms has one of "
        f"{np.abs(column(rows, 'gradient_of_sum', length=dead)).mean():.0f}, and its maximum at weight "
        f"{column(rows, 'best_weight', length=dead).mean():.2f} (true: {settings.true_weight:g})",
    )
