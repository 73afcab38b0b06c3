"""Is the sigmoid with log loss the same as a softmax over two classes with cross-entropy?

With two logits softmax gives class 1 the probability exp(z₁) / (exp(z₀) + exp(z₁)) = sigmoid(z₁ - z₀). So one output
with the weights w = w₁ - w₀ says the same, and the losses agree. By the chain rule so do the gradients: ∂L/∂w₁ = g,
∂L/∂w₀ = -g, where g = ∂L/∂w. The layers below cannot tell the two apart.

Training can. A step of descent moves w₁ by -ηg and w₀ by +ηg, so their difference by -2ηg: twice as far as w. The
softmax trains as the sigmoid does if its last layer has half the learning rate. With Adam too, for it steps by the
ratio of gradients, which knows no sign and no size.

The study trains both from weights that say the same, on the same points, with the same and with half the learning rate
in the last layer, and looks how far the difference w₁ - w₀ gets from w, and how far apart the hidden layers.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from notes.intervals import mean_interval
from notes.networks.losses import Criterion, log_loss
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.sources.synthetic import make_moons
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.shared.experiment import generator_for, random_for

CLAIM = "Sigmoid with log loss is the softmax with cross-entropy for two classes."
NOTES = "7. Classification"
RULE = (
    "Of the two networks, the largest difference between losses, gradients (that of w₁ and minus that of w₀, against "
    "that of w) and, after training, weights (w₁ - w₀ against w, and the layers below) is taken as a share of the "
    "largest value. They are the same in what differs by at most `tolerance` in every repetition and with every "
    "optimizer. Holds if losses, gradients and weights are the same at the same learning rate; holds only for losses "
    "and gradients, and for training with half the learning rate (in the last layer), if so; holds only for losses "
    "and gradients if not even then; fails if these differ."
)


Data = tuple[Tensor, Tensor]  # inputs (n, 2) and labels (n,)
SIGNS = ((0, -1), (1, 1))  # an output, and the sign of its gradient
OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row an optimizer, share of the learning rate in the last layer of the softmax, and repetition."""
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        table = make_moons(rows=settings.rows, noise=0.2, generator=random_for(seed, repetition))
        data = torch.tensor(table[["x1", "x2"]].to_numpy()), torch.tensor(table["y"].to_numpy())
        for optimizer, optimizer_class in OPTIMIZERS.items():
            rate = getattr(settings, f"{optimizer}_learning_rate")
            one, _ = pair(settings.hidden_sizes, generator_for(seed, repetition, 1))
            descend(one, log_loss, data, settings.steps, optimizer_class, rate, rate)
            for share in (1.0, 0.5):
                start, two = pair(settings.hidden_sizes, generator_for(seed, repetition, 1))
                row: Row = {"optimizer": optimizer, "share": share, "repetition": repetition}
                row |= compare_losses(start, two, data)
                descend(two, functional.cross_entropy, data, settings.steps, optimizer_class, rate, share * rate)
                rows.append(row | {"weight_difference": difference(as_one(two.parameters()), list(one.parameters()))})
    return rows


def pair(hidden_sizes: Sequence[int], generator: torch.Generator) -> tuple[Mlp, Mlp]:
    """Return a network with one output and one with two that say the same."""
    one, two = (Mlp(2, hidden_sizes, outputs, activation="tanh").double() for outputs in (1, 2))
    two.initialise(generator)
    with torch.no_grad():
        for mine, value in zip(one.parameters(), as_one(two.parameters()), strict=True):
            mine.copy_(value)
    return one, two


def as_one(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Return the parameters of the network with two outputs, in the last layer the difference of the two."""
    *below, weight, bias = parameters
    return [*below, weight[1:] - weight[:1], bias[1:] - bias[:1]]


def compare_losses(one: Mlp, two: Mlp, data: Data) -> Row:
    """Return how far the losses differ, and the gradients: those of w₁ and -w₀ against those of w."""
    inputs, labels = data
    losses = log_loss(one(inputs), labels), functional.cross_entropy(two(inputs), labels)
    expected = torch.autograd.grad(losses[0], list(one.parameters()))
    *below, weight, bias = torch.autograd.grad(losses[1], list(two.parameters()))
    by_first, by_second = ([*below, sign * weight[row : row + 1], sign * bias[row : row + 1]] for row, sign in SIGNS)
    return {
        "loss_difference": difference(losses[1:], losses[:1]),
        "gradient_difference": max(difference(by_first, expected), difference(by_second, expected)),
    }


def difference(found: Iterable[Tensor], expected: Sequence[Tensor]) -> float:
    """Return the largest difference as a share of the largest value."""
    largest = max(values.abs().max().item() for values in expected)
    return max((mine - its).abs().max().item() for mine, its in zip(found, expected, strict=True)) / largest


def descend(
    network: Mlp,
    criterion: Criterion,
    data: Data,
    steps: int,
    optimizer_class: Callable[..., torch.optim.Optimizer],
    rate: float,
    last_rate: float,
) -> None:
    """Take steps on all rows, with a learning rate of its own for the last layer."""
    *below, weight, bias = network.parameters()
    optimizer = optimizer_class([{"params": below}, {"params": [weight, bias], "lr": last_rate}], lr=rate, fused=True)
    for _ in range(steps):
        optimizer.zero_grad()
        criterion(network(data[0]), data[1]).backward()
        optimizer.step()


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is how far the weights are apart after training with the same learning rate."""
    losses, gradients = (column(rows, name) for name in ("loss_difference", "gradient_difference"))
    weights = {share: column(rows, "weight_difference", share=share) for share in (1.0, 0.5)}
    same = {share: bool((values <= settings.tolerance).all()) for share, values in weights.items()}
    text = "holds only for losses and gradients"
    if max(losses.max(), gradients.max()) > settings.tolerance:
        text = "fails"
    elif same[1.0]:
        text = "holds"
    elif same[0.5]:
        text = "holds only for losses and gradients; training needs half the learning rate"
    apart = {share: values.max() for share, values in weights.items()}
    return Verdict(
        text,
        "difference of the weights after training at the same learning rate, as a share of the largest",
        *mean_interval(weights[1.0]),
        f"Losses differ by {losses.max():.0e}, gradients by {gradients.max():.0e}; after {settings.steps} steps "
        f"the weights are {weights[1.0].mean():.0%} apart, with half the learning rate in the last layer "
        f"{apart[0.5]:.0e}",
    )
