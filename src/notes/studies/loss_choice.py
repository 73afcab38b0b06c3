"""Does mean squared error not suit classification?

Cross-entropy and softmax together have the gradient p - y at the logits: the surer the mistake, the stronger the
push. Squared error of the *probabilities* multiplies that by the slope of the softmax, which is flat where the
network is sure: at a confident mistake hardly anything pushes back. But squared error of the raw *outputs* against 0
and 1 has no softmax in it, and its gradient grows with the mistake. So the claim has two readings, and both are
tried.

All losses train the same network on the same digits in the same order, and each may choose its own best learning
rate. The gradient is measured with two classes, where the logits differ by a margin: +m for the right class, -m for
the wrong.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from notes.data.tasks import Split, load_split
from notes.intervals import Interval, paired_interval
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column, rows_where

CLAIM = "Mean squared error does not suit classification: a network learns slower with it than with cross-entropy."
NOTES = "7. Classification: mean squared error suits regression, not classification"
RULE = (
    "Each loss takes the learning rate with the fewest epochs to the accuracy target (geometric mean over the "
    "repetitions; a run that never gets there counts with all its epochs). A rival of cross-entropy is slower if its "
    "epochs over those of cross-entropy exceed 1 by the 95 % interval of the geometric mean, repetition by "
    "repetition. Holds if every rival is slower, holds under those that are, fails if none is."
)
REFERENCE = "cross-entropy"


def squared_error_of_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over rows of Σ (softmax(logits) - one_hot)², Brier's score (Brier 1950)."""
    one_hot = functional.one_hot(labels, logits.shape[1])
    return ((torch.softmax(logits, dim=1) - one_hot) ** 2).sum(dim=1).mean()


def squared_error_of_outputs(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over rows of Σ (logits - one_hot)²: classification as if it were regression."""
    return ((logits - functional.one_hot(labels, logits.shape[1])) ** 2).sum(dim=1).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    REFERENCE: functional.cross_entropy,
    "squared error of probabilities": squared_error_of_probabilities,
    "squared error of outputs": squared_error_of_outputs,
    "cross-entropy again": functional.cross_entropy,
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
    train, validation = load_split("mnist", "train"), load_split("mnist", "validation")
    held_out = Split(validation.inputs[: settings.rows], validation.targets[: settings.rows])
    for repetition in range(settings.repetitions):
        seed = generator_seed + repetition
        chosen = np.random.default_rng(seed).choice(len(train.targets), size=settings.rows, replace=False)
        part = Split(train.inputs[chosen], train.targets[chosen])
        for name in names:
            for learning_rate in settings.learning_rates:
                epochs, reached = epochs_to_target(settings, name, learning_rate, part, held_out, seed)
                rows.append(
                    {
                        "kind": "training",
                        "loss": name,
                        "learning_rate": learning_rate,
                        "repetition": repetition,
                        "epochs": epochs,
                        "reached": reached,
                    }
                )
    return rows


def gradient_at(loss: Callable[[Tensor, Tensor], Tensor], margin: float) -> float:
    """Return the length of the gradient at two logits, margin/2 for the right class and -margin/2 for the wrong one."""
    logits = torch.tensor([[margin / 2, -margin / 2]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(logits, torch.tensor([0])), logits)
    return float(gradient.norm())


def epochs_to_target(
    settings: Settings, loss: str, learning_rate: float, part: Split, held_out: Split, seed: int
) -> tuple[int, bool]:
    """Train until the validation accuracy is at the target; return the epochs, and whether it got there."""
    generator = torch.Generator().manual_seed(seed)
    network = Mlp(part.inputs.shape[1], settings.hidden_sizes, 10).initialise(generator)
    options = ClassifierOptions(settings.epochs, settings.batch_size, learning_rate, loss=LOSSES[loss])
    for record in fit_classifier(network, part, held_out, options, generator=generator):
        if record["val/accuracy"] >= settings.accuracy_target:
            return int(record["epoch"]), True
    return settings.epochs, False


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE."""
    factors = {rival: slower_by(rows, rival) for rival in settings.rivals}
    slower = [rival for rival, factor in factors.items() if factor.low > 1]
    whole = len(slower) == len(settings.rivals)
    text = "holds" if whole else f"holds under {', '.join(slower)}" if slower else "fails"
    sure = {row["loss"]: row["gradient"] for row in rows_where(rows, kind="gradient", margin=float(MARGINS[0]))}
    times = []
    for rival, factor in factors.items():
        best = rows_where(rows, kind="training", loss=rival, learning_rate=best_epochs(rows, rival)[0])
        reached = all(row["reached"] for row in best)
        least = "" if reached else "at least "
        times.append(f"{rival} takes {least}{factor.value:.2g} times [{factor.low:.2g}, {factor.high:.2g}]")
    gradients = " and ".join(f"{sure[rival] / sure[REFERENCE]:.2g}" for rival in settings.rivals)
    finding = (
        f"To {settings.accuracy_target:.0%} accuracy {', '.join(times)} the epochs of {REFERENCE}; "
        f"at a sure mistake the gradient is {gradients} times that of {REFERENCE}"
    )
    first = settings.rivals[0]
    effect = f"epochs to {settings.accuracy_target:.0%} accuracy: {first} over cross-entropy"
    return Verdict(text, effect, *factors[first], finding)


def slower_by(rows: list[Row], rival: str) -> Interval:
    """Return the epochs of a rival as a multiple of those of cross-entropy, each at its best learning rate."""
    of_rival, of_reference = (np.log(best_epochs(rows, name)[1]) for name in (rival, REFERENCE))
    return Interval(*(float(end) for end in np.exp(paired_interval(of_rival, of_reference))))


def best_epochs(rows: list[Row], loss: str) -> tuple[float, np.ndarray]:
    """Return the best learning rate of a loss and its epochs to the target, repetition by repetition."""
    runs = rows_where(rows, kind="training", loss=loss)
    rates = dict.fromkeys(row["learning_rate"] for row in runs)
    epochs = {rate: column(runs, "epochs", learning_rate=rate) for rate in rates}
    best = min(epochs, key=lambda rate: float(np.log(epochs[rate]).mean()))
    return best, epochs[best]
