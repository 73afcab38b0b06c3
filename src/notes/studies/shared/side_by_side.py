"""Networks of one shape, trained side by side: what each would learn alone, in a fraction of the time.

A step of a small network costs torch more in calls than in arithmetic. Here the weights of a layer of all networks are
one tensor (networks, inputs, outputs), and one call moves them all. None of them notices another: what is minimised is
the sum of their losses, so each gets its own gradient, and SGD and Adam treat every weight by itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from notes.data.tasks import Split
from notes.networks.mlp import Mlp, to_tensors
from notes.sources.synthetic import make_moons

Data = tuple[Tensor, Tensor]  # inputs (networks, n, d) and labels (networks, n)
RowLoss = Callable[[Tensor, Tensor], Tensor]  # logits (n, outputs) and labels (n,) in, the loss of each row (n,) out


class StackedLinear(nn.Module):
    """The linear layers of several networks as one: (networks, n, inputs) → (networks, n, outputs)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]).contiguous())
        self.bias = nn.Parameter(torch.stack([layer.bias.detach()[None] for layer in layers]))

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, inputs, self.weight)


def stack(networks: Sequence[Mlp]) -> nn.Sequential:
    """Return networks of linear layers and activations as one: (networks, n, inputs) → (networks, n, outputs)."""
    layers: list[nn.Module] = []
    for same in zip(*(network.layers for network in networks), strict=True):
        linears = [layer for layer in same if isinstance(layer, nn.Linear)]
        layers.append(StackedLinear(linears) if linears else same[0])
    return nn.Sequential(*layers)


def stack_splits(splits: Iterable[Split]) -> Data:
    """Return a split of its own for each network; all have the same number of rows."""
    pairs = [to_tensors(split, "cpu") for split in splits]
    return torch.stack([inputs for inputs, _ in pairs]), torch.stack([labels for _, labels in pairs])


def for_all(split: Split, networks: int) -> Data:
    """Return the same split for every network, without a copy."""
    inputs, labels = to_tensors(split, "cpu")
    return inputs.expand(networks, *inputs.shape), labels.expand(networks, *labels.shape)


def moons(rows: int, randoms: Iterable[np.random.Generator], noise: float = 0.2) -> Data:
    """Return new points of two moons for each of the generators."""
    tables = [make_moons(rows=rows, noise=noise, generator=random) for random in randoms]
    return stack_splits(
        Split(table[["x1", "x2"]].to_numpy(np.float32), table["y"].to_numpy(copy=True)) for table in tables
    )


def shuffled_batches(data: Data, size: int, *, epochs: int, generators: Sequence[torch.Generator]) -> Iterator[Data]:
    """Yield each row once an epoch, in an order from the network's own generator; an epoch's last batch is smaller."""
    inputs, labels = data
    networks = torch.arange(len(labels))[:, None]
    for _ in range(epochs):
        order = torch.stack([torch.randperm(labels.shape[1], generator=generator) for generator in generators])
        for rows in order.split(size, dim=1):
            yield inputs[networks, rows], labels[networks, rows]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of each row (n,), which is the log loss where there is one logit."""
    if logits.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits.dtype), reduction="none")
    return functional.cross_entropy(logits, labels, reduction="none")


def losses(networks: nn.Module, data: Data, row_loss: RowLoss = cross_entropy) -> Tensor:
    """Return the mean loss of each network (networks,)."""
    inputs, labels = data
    of_rows = row_loss(networks(inputs).flatten(0, 1), labels.flatten())
    return of_rows.view(labels.shape).mean(dim=1)


@torch.no_grad()
def accuracies(networks: nn.Module, data: Data) -> Tensor:
    """Return the share of rows that each network gets right (networks,)."""
    inputs, labels = data
    logits = networks(inputs)
    predicted = (logits[..., 0] > 0).long() if logits.shape[-1] == 1 else logits.argmax(dim=-1)
    shares: Tensor = (predicted == labels).double().mean(dim=1)
    return shares


def descend(
    networks: nn.Module, batches: Iterable[Data], optimizer: torch.optim.Optimizer, row_loss: RowLoss = cross_entropy
) -> Iterator[Tensor]:
    """Take a step of the optimizer for each batch; yield, after the step, the losses (networks,) before it."""
    for batch in batches:
        before = losses(networks, batch, row_loss)
        optimizer.zero_grad()
        before.sum().backward()
        optimizer.step()
        yield before.detach()


class Reached(NamedTuple):
    """When a network came to its target: after these updates, or, if it never did, all that it took."""

    updates: int
    reached: bool


def until(updates: Iterable[object], at_target: Callable[[], Tensor], *, every: int = 1) -> list[Reached]:
    """Take updates until every network has been at its target, asked after every `every` of them."""
    at_target = torch.no_grad()(at_target)
    first, taken = torch.zeros_like(at_target(), dtype=torch.long), 0
    for taken, _ in enumerate(updates, start=1):
        if taken % every == 0:
            first = torch.where(at_target() & (first == 0), taken, first)
            if (first > 0).all():
                break
    return [Reached(count or taken, count > 0) for count in first.tolist()]
