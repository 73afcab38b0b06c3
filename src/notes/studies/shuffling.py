"""Why the training set is shuffled: the order of the rows must not be a lesson.

Mini-batch gradient descent takes each batch for a picture of the whole. If the rows come sorted by class, a batch shows
one class alone; the network learns to answer with that class, then with the next, and forgets the first.

The study trains the same network on the same digits in three orders: sorted by class, mixed once and then always in the
same order, and mixed anew before each epoch. The claim is about the order in the training loop, so the study has a loop
of its own that takes the order from outside.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from notes.data.tasks import load_split
from notes.intervals import paired_interval
from notes.networks.mlp import Mlp, evaluate
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.shared.experiment import generator_for, sample

CLAIM = "Shuffling the training set removes order effects and makes the network generalise better."
NOTES = "4. Multi-layer perceptron in code"
ORDERS = {"sorted": "sorted by class", "once": "shuffled once", "every_epoch": "shuffled before every epoch"}
RULE = (
    "After the last epoch the validation accuracy with a shuffle before every epoch is compared, repetition by "
    "repetition, with that on rows sorted by class and with that on rows shuffled once. Holds if the 95 % intervals of "
    "both differences lie above zero, holds only for data sorted by class if only the first does, fails otherwise."
)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row for each order, repetition and epoch: the validation accuracy in percent, on digits of its own."""
    digits, held_out = load_split("mnist", "train"), load_split("mnist", "validation")
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        generator = generator_for(seed, repetition)
        data = sample(digits, settings.rows, generator)
        inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.targets)
        part = sample(held_out, settings.validation_rows, generator)
        validation = torch.from_numpy(part.inputs), torch.from_numpy(part.targets)
        for order in ORDERS:
            generator = generator_for(seed, repetition, 1)  # the same weights at the start
            network = Mlp(inputs.shape[1], settings.hidden_sizes, 10).initialise(generator)
            epochs = orders(order, labels, settings.epochs, generator)
            for epoch, _ in enumerate(descend(network, inputs, labels, epochs, settings), start=1):
                accuracy = 100 * evaluate(network, *validation, functional.cross_entropy)[1]
                rows.append({"order": order, "repetition": repetition, "epoch": epoch, "accuracy": accuracy})
    return rows


def orders(order: str, labels: Tensor, epochs: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the order of the rows for each epoch."""
    once = torch.randperm(len(labels), generator=generator)
    by_class = labels.argsort(stable=True)
    for _ in range(epochs):
        if order == "every_epoch":
            yield torch.randperm(len(labels), generator=generator)
        else:
            yield by_class if order == "sorted" else once


def descend(
    network: Mlp, inputs: Tensor, labels: Tensor, epochs: Iterable[Tensor], settings: Settings
) -> Iterator[None]:
    """Train on the rows in the order that each epoch brings; yield after every epoch."""
    optimizer = torch.optim.SGD(network.parameters(), lr=settings.learning_rate)
    for order in epochs:
        network.train()
        for batch in order.split(settings.batch_size):
            loss = functional.cross_entropy(network(inputs[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the accuracy that shuffling adds to rows sorted by class."""
    final = {order: column(rows, "accuracy", order=order, epoch=settings.epochs) for order in ORDERS}
    against_sorted = paired_interval(final["every_epoch"], final["sorted"])
    against_once = paired_interval(final["every_epoch"], final["once"])
    text = "fails"
    if against_sorted.low > 0:
        text = "holds" if against_once.low > 0 else "holds only for data sorted by class"
    return Verdict(
        text,
        "validation accuracy that a shuffle before every epoch adds to rows sorted by class, percentage points",
        *against_sorted,
        f"Sorted by class {final['sorted'].mean():.1f} % right, shuffled every epoch "
        f"{final['every_epoch'].mean():.1f} %; over rows shuffled once that is {against_once.value:+.2f} points "
        f"({against_once.low:+.2f} to {against_once.high:+.2f})",
    )
