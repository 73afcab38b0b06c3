"""11 and 12: shuffled mini-batches, and an epoch of training."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from hypothesis import strategies
from torch import Tensor, nn

from checks import Exercise, close, require
from notes.networks.mlp import Mlp, shuffled_batches, train_epoch
from notes.networks.steps import step_by_autograd

Batches = Iterator[tuple[Tensor, Tensor]]
RATE = 0.5


class Rows(NamedTuple):
    """How many samples there are, how many go into a batch, and the shuffling's seed."""

    count: int
    size: int
    seed: int


def run_batches(function: Callable[..., Batches], case: Rows) -> list[np.ndarray]:
    """Return the rows and the labels as they come, and the sizes of the batches; row i holds i, its label is 2 i."""
    rows = torch.arange(case.count)
    batches = list(function(rows[:, None].double(), 2 * rows, case.size, torch.Generator().manual_seed(case.seed)))
    inputs = torch.cat([batch for batch, _ in batches])[:, 0].numpy()
    labels = torch.cat([labels for _, labels in batches]).numpy()
    return [inputs, labels, np.array([len(batch) for batch, _ in batches])]


def judge_batches(result: list[np.ndarray], case: Rows) -> None:
    """Every sample once, with its own label, in batches of the right size, and not in order."""
    inputs, labels, sizes = result
    expected = [min(case.size, case.count - start) for start in range(0, case.count, case.size)]
    require(sizes.tolist() == expected, f"the batches have the sizes {sizes.tolist()}, expected {expected}")
    require(sorted(inputs) == list(range(case.count)), "not every sample comes exactly once")
    close(labels, 2 * inputs, "a label of another sample")
    # Of twenty samples, one order in 10¹⁸ is the old one.
    require(inputs.tolist() != sorted(inputs), "the samples come in their old order")


def in_order(inputs: Tensor, labels: Tensor, size: int, generator: torch.Generator) -> Batches:
    yield from zip(inputs.split(size), labels.split(size), strict=True)


def separately(inputs: Tensor, labels: Tensor, size: int, generator: torch.Generator) -> Batches:
    order, other = (torch.randperm(len(labels), generator=generator) for _ in range(2))
    yield from zip(inputs[order].split(size), labels[other].split(size), strict=True)


def without_the_rest(inputs: Tensor, labels: Tensor, size: int, generator: torch.Generator) -> Batches:
    for batch in shuffled_batches(inputs, labels, size, generator):
        if len(batch[1]) == size:
            yield batch


def with_replacement(inputs: Tensor, labels: Tensor, size: int, generator: torch.Generator) -> Batches:
    rows = torch.randint(len(labels), (len(labels),), generator=generator)
    yield from zip(inputs[rows].split(size), labels[rows].split(size), strict=True)


BATCHES = Exercise(
    name="batches",
    # Sizes that leave a smaller last batch.
    cases=strategies.builds(
        lambda size, whole, rest, seed: Rows(size * whole + 1 + rest % (size - 1), size, seed),
        strategies.integers(2, 7),
        strategies.integers(10, 12),
        strategies.integers(0, 10),
        strategies.integers(0, 2**16),
    ),
    run=run_batches,
    judge=judge_batches,
    solution=shuffled_batches,
    mistakes={
        "They still come in the old order: draw a permutation with torch.randperm and the generator.": in_order,
        "Inputs and labels need one and the same permutation.": separately,
        "The last batch is smaller, but it belongs to the set.": without_the_rest,
        "A permutation takes every sample once; drawn one by one, some come twice and some never.": with_replacement,
    },
)


def run_epoch(function: Callable[..., float], seed: int) -> list[np.ndarray]:
    """Train a small network on two batches of unequal size; return the loss and every parameter afterwards."""
    network, batches = network_and_batches(seed)
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
    loss = function(network, iter(batches), nn.functional.cross_entropy, optimizer)
    return [np.asarray(float(loss)), *(parameter.detach().numpy() for parameter in network.parameters())]


def network_and_batches(seed: int) -> tuple[Mlp, list[tuple[Tensor, Tensor]]]:
    """Return a network as it starts, and ten samples in batches of seven and three."""
    generator = torch.Generator().manual_seed(seed)
    network = Mlp(3, [4], 3, activation="tanh").initialise(generator).double()
    inputs = torch.randn(10, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (10,), generator=generator)
    return network, [(inputs[:7], labels[:7]), (inputs[7:], labels[7:])]


def judge_epoch(result: list[np.ndarray], seed: int) -> None:
    """Take the two steps without an optimizer."""
    network, batches = network_and_batches(seed)
    total = 0.0
    for inputs, labels in batches:
        loss = nn.functional.cross_entropy(network(inputs), labels)
        total += loss.item() * len(labels)
        parameters = list(network.parameters())
        with torch.no_grad():
            for parameter, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                parameter -= RATE * slope
    for found, parameter in zip(result[1:], network.parameters(), strict=True):
        close(found, parameter.detach().numpy(), "a parameter after the epoch")
    close(result[0], total / 10, "the mean loss over all samples")


def epoch_with(clear: str = "before", weighted: bool = True, last: bool = False) -> Any:
    """Return an epoch with a mistake."""

    def run(forward: Any, batches: Batches, criterion: Any, optimizer: torch.optim.Optimizer) -> float:
        losses, sizes = [], []
        for inputs, labels in batches:
            loss = criterion(forward(inputs), labels)
            if clear == "before":
                optimizer.zero_grad()
            loss.backward()
            if clear == "after":
                optimizer.zero_grad()
            optimizer.step()
            losses.append(loss.item())
            sizes.append(len(labels))
        return losses[-1] if last else float(np.average(losses, weights=sizes if weighted else None))

    return run


EPOCH = Exercise(
    name="epoch",
    cases=strategies.integers(0, 2**16),
    run=run_epoch,
    judge=judge_epoch,
    solution=lambda *given: train_epoch(step_by_autograd(given[0], *given[2:]), given[1])[0],
    mistakes={
        "Gradients of the last batch are still there: clear them before backward().": epoch_with(clear="never"),
        "No weight has moved: step() comes after backward(), and no zero_grad() between the two.": epoch_with(
            clear="after"
        ),
        "Batches differ in size: weigh each batch's mean with its number of samples.": epoch_with(weighted=False),
        "That is the last batch's loss; the epoch's is the mean over all samples.": epoch_with(last=True),
    },
)
