"""Does mean squared error not suit classification?

Cross-entropy and softmax together have the gradient p - y at the logits: the surer the mistake, the stronger the
push. Squared error of the *probabilities* multiplies that by the slope of the softmax, which is flat where the
network is sure: at a confident mistake hardly anything pushes back. But squared error of the raw *outputs* against 0
and 1 has no softmax in it, and its gradient grows with the mistake. So the claim has two readings, and both are
tried.

All losses train the same network on the same digits in the same order, each at the learning rate that suits it best,
by Adam, for which twice a loss is no other loss. The gradient is measured with two classes, where the logits differ by
a margin: +m for the right class, -m for the wrong.
"""

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from notes.data.tasks import load_split
from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, rows_where, text_of
from notes.studies.shared.experiment import generator_for, sample
from notes.studies.shared.rates import Case, at_an_end, judged, ratio, run_at_best_rate
from notes.studies.shared.side_by_side import (
    Data,
    RowLoss,
    accuracies,
    cross_entropy,
    descend,
    shuffled_batches,
    stack,
    stack_splits,
    until,
)

CLAIM = "Mean squared error does not suit classification: a network learns slower with it than with cross-entropy."
NOTES = "7. Classification: mean squared error suits regression, not classification"
RULE = (
    "Each loss takes the learning rate with the fewest epochs to the accuracy target: geometric mean over the even "
    "repetitions; a run that never gets there counts with all its epochs. A squared error is slower if over the odd "
    "repetitions the 95 % interval of its epochs over those of cross-entropy lies above 1. Holds if both are slower, "
    "holds only for the one that is, fails if none is; unsettled if a best rate is the first or last of the list."
)
REFERENCE = "cross-entropy"


def squared_error_of_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """Return Σ (softmax(logits) - one_hot)² of each row (n,), Brier's score (Brier 1950)."""
    one_hot = functional.one_hot(labels, logits.shape[1])
    return ((torch.softmax(logits, dim=1) - one_hot) ** 2).sum(dim=1)


def squared_error_of_outputs(logits: Tensor, labels: Tensor) -> Tensor:
    """Return Σ (logits - one_hot)² of each row (n,): classification as if it were regression."""
    return ((logits - functional.one_hot(labels, logits.shape[1])) ** 2).sum(dim=1)


LOSSES: dict[str, RowLoss] = {
    REFERENCE: cross_entropy,
    "squared error of probabilities": squared_error_of_probabilities,
    "squared error of outputs": squared_error_of_outputs,
    "cross-entropy again": cross_entropy,
}
MARGINS = np.linspace(-10, 10, 41)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a run, with its epochs to the target, and a row a margin, with the gradient there.

    Reads MNIST's training and validation split.
    """
    names = [REFERENCE, *settings.rivals]
    rows: list[Row] = [
        {"kind": "gradient", "loss": name, "margin": float(margin), "gradient": gradient_at(LOSSES[name], margin)}
        for name in names
        for margin in MARGINS
    ]
    digits, held_out = (load_split("mnist", name) for name in ("train", "validation"))

    def run(loss: str, rate: float, repetitions: list[int]) -> list[Row]:
        data, unseen = (
            stack_splits(sample(split, settings.rows, generator_for(seed, n, part)) for n in repetitions)
            for part, split in enumerate((digits, held_out))
        )
        generators = [generator_for(seed, repetition) for repetition in repetitions]
        return epochs_to_target(settings, loss, rate, data, unseen, generators)

    for name in names:
        case = runs_of(name)
        rows += run_at_best_rate(partial(run, name), case, settings.learning_rates, settings.repetitions, "epochs")
    return rows


def gradient_at(loss: RowLoss, margin: float) -> float:
    """Return the length of the gradient at two logits, margin/2 for the right class and -margin/2 for the wrong one."""
    logits = torch.tensor([[margin / 2, -margin / 2]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(logits, torch.tensor([0])).sum(), logits)
    return float(gradient.norm())


def epochs_to_target(
    settings: Settings,
    loss: str,
    rate: float,
    data: Data,
    held_out: Data,
    generators: list[torch.Generator],
) -> list[Row]:
    """Train until the validation accuracies are at the target; equal generators give every loss the same start."""
    features = data[0].shape[-1]
    networks = stack([Mlp(features, settings.hidden_sizes, 10).initialise(one) for one in generators])
    batches = shuffled_batches(data, settings.batch_size, epochs=settings.epochs, generators=generators)
    updates = descend(networks, batches, make_optimizer(networks, "adam", rate), LOSSES[loss])
    an_epoch = math.ceil(settings.rows / settings.batch_size)
    runs = until(updates, lambda: accuracies(networks, held_out) >= settings.accuracy_target, every=an_epoch)
    return [{"epochs": run.updates // an_epoch, "reached": run.reached} for run in runs]


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the first rival's epochs as a multiple of those of cross-entropy."""
    factors = {rival: ratio(rows, "epochs", runs_of(rival), runs_of(REFERENCE)) for rival in settings.rivals}
    text = text_of([rival for rival, factor in factors.items() if factor.low > 1], settings.rivals)
    if at_an_end(rows, [runs_of(name) for name in (REFERENCE, *settings.rivals)]):
        text = "unsettled"
    sure = {row["loss"]: row["gradient"] for row in rows_where(rows, kind="gradient", margin=float(MARGINS[0]))}
    times = []
    for rival, factor in factors.items():
        least = "" if judged(rows, "reached", runs_of(rival)).all() else "at least "
        gradient = f"gradient at a sure mistake {sure[rival] / sure[REFERENCE]:.2g}"
        times.append(f"{rival} {least}{factor.value:.2g} [{factor.low:.2g}, {factor.high:.2g}] ({gradient})")
    finding = f"Epochs to {settings.accuracy_target:.0%} accuracy as a multiple of cross-entropy's: {'; '.join(times)}"
    first = settings.rivals[0]
    effect = f"epochs to {settings.accuracy_target:.0%} accuracy, each at its best rate: {first} over cross-entropy"
    return Verdict(text, effect, *factors[first], finding)


def runs_of(loss: str) -> Case:
    """Return what tells the runs of a loss from all other rows."""
    return {"kind": "training", "loss": loss}
