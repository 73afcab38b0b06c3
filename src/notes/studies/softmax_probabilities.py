"""What softmax promises, and why nobody computes it as it is written.

softmax(z)ᵢ = exp(zᵢ) / Σ exp(zⱼ) is positive and sums to 1: probabilities. With two classes it is the sigmoid of the
difference of the logits, so that cross-entropy and log loss are the same number. On paper. In single precision
exp(89) is infinite, and infinity divided by infinity is no number. The log-sum-exp form subtracts the largest logit
first, which changes nothing on paper and everything in the machine.

The study draws logits of growing size, up to ±1000, and computes the probabilities and the cross-entropy in both forms.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from notes.intervals import mean_interval
from notes.networks.losses import log_loss
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column, rows_where, text_of
from notes.studies.shared.experiment import generator_for

CLAIM = "Softmax gives probabilities, which sum to 1; with two classes cross-entropy is the log loss."
NOTES = "7. Classification"
RULE = (
    "A form is right if, in every repetition and for every size of the logits, all probabilities lie in [0, 1], their "
    "sums differ from 1 by at most the tolerance, and with two classes the cross-entropy differs from the log loss by "
    "at most the tolerance times max(1, log loss). Holds if both forms are right, holds only for the one that "
    "is, fails if none is."
)


def log_sum_exp(logits: Tensor) -> Tensor:
    """Return log-probabilities, largest logit subtracted: z - m - log Σ exp(z - m). It is what PyTorch computes."""
    return functional.log_softmax(logits, dim=1)


def naive(logits: Tensor) -> Tensor:
    """Return log-probabilities as the formula says: log(exp(z) / Σ exp(z))."""
    powers = logits.exp()
    return (powers / powers.sum(dim=1, keepdim=True)).log()


FORMS: dict[str, Callable[[Tensor], Tensor]] = {"log-sum-exp": log_sum_exp, "naive": naive}


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row for each form, size of logits and repetition: the worst errors, infinite where there is none."""
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        generator = generator_for(seed, repetition)
        # The same draws at every size, so that nothing but the size changes.
        many, two = (torch.rand(settings.rows, n, generator=generator) * 2 - 1 for n in (settings.classes, 2))
        labels = torch.randint(2, (settings.rows,), generator=generator)
        for scale in settings.scales:
            for form, log_probabilities in FORMS.items():
                errors = errors_of(log_probabilities, scale * many, scale * two, labels)
                rows.append({"form": form, "scale": scale, "repetition": repetition} | errors)
    return rows


def errors_of(log_probabilities: Callable[[Tensor], Tensor], many: Tensor, two: Tensor, labels: Tensor) -> Row:
    """Compare one form, in single precision, with what softmax promises."""
    probabilities = log_probabilities(many).exp()
    losses = -log_probabilities(two).gather(1, labels[:, None]).squeeze(1)
    # The log loss knows the difference of the two logits alone.
    logits = two.double().diff(dim=1)
    expected = torch.stack([log_loss(logit[None], label[None]) for logit, label in zip(logits, labels, strict=True)])
    return {
        "in_range": float(((probabilities >= 0) & (probabilities <= 1)).all()),
        "sum_error": _largest((probabilities.double().sum(dim=1) - 1).abs()),
        "loss_error": _largest((losses.double() - expected).abs() / expected.clamp(min=1)),
        "finite_losses": losses.isfinite().double().mean().item(),
    }


def _largest(errors: Tensor) -> float:
    return errors.max().item() if errors.isfinite().all() else math.inf


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the worst relative distance between cross-entropy and log loss, log-sum-exp form."""
    right = [form for form in FORMS if all(_right(row, settings.tolerance) for row in rows_where(rows, form=form))]
    stable = rows_where(rows, form="log-sum-exp")
    repetitions = dict.fromkeys(row["repetition"] for row in stable)
    worst = [column(stable, "loss_error", repetition=repetition).max() for repetition in repetitions]
    wrong = [row["scale"] for row in rows_where(rows, form="naive") if not _right(row, settings.tolerance)]
    until = f"is wrong from logits of ±{min(wrong):g} on" if wrong else "agrees"
    largest = max(settings.scales)
    return Verdict(
        text_of([f"the {form} form" for form in right], list(FORMS)),
        f"worst |cross-entropy - log loss| ÷ max(1, log loss) up to logits of ±{largest:g}",
        *mean_interval(worst),
        f"Up to logits of ±{largest:g} log-sum-exp keeps the sums of probabilities within "
        f"{column(stable, 'sum_error').max():.0e} of 1 and cross-entropy within {max(worst):.0e} of the log loss; "
        f"the naive form {until}",
    )


def _right(row: Row, tolerance: float) -> bool:
    return bool(row["in_range"]) and row["sum_error"] <= tolerance and row["loss_error"] <= tolerance
