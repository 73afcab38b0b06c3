"""Networks of one shape, trained side by side: what each would learn alone, in a fraction of the time.

A step of a small network costs torch more in calls than in arithmetic. Here the weights of a layer of all networks are
one tensor (networks, inputs, outputs), and one call moves them all. None of them notices another: the loss is the sum
of their losses, so each gets its own gradient, and SGD and Adam treat every weight by itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from notes.data.tasks import Split
from notes.networks.mlp import Criterion, Mlp, to_tensors


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


def for_all(data: tuple[Tensor, Tensor], networks: int) -> tuple[Tensor, Tensor]:
    """Return inputs (n, d) and labels (n,) as every network of a stack is to see them, without a copy."""
    inputs, labels = data
    return inputs.expand(networks, *inputs.shape), labels.expand(networks, *labels.shape)


def side_by_side(splits: Iterable[Split]) -> tuple[Tensor, Tensor]:
    """Return a split for each network as inputs (networks, n, d) and labels (networks, n)."""
    pairs = [to_tensors(split, "cpu") for split in splits]
    return torch.stack([inputs for inputs, _ in pairs]), torch.stack([labels for _, labels in pairs])


def descend(
    stacked: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    criterion: Criterion,
    optimizer: torch.optim.Optimizer,
    *,
    batch_size: int,
    epochs: int,
    generators: Sequence[torch.Generator],
) -> Iterator[None]:
    """Train on inputs (networks, n, d) and labels (networks, n), each in the order of its generator.

    Yields after every update of the weights.
    """
    networks, rows = labels.shape
    each = torch.arange(networks)[:, None]
    for _ in range(epochs):
        order = torch.stack([torch.randperm(rows, generator=generator) for generator in generators])
        for batch in order.split(batch_size, dim=1):
            loss = criterion(stacked(inputs[each, batch]).flatten(0, 1), labels[each, batch].flatten())
            optimizer.zero_grad()
            (networks * loss).backward()  # the mean over all rows is a share of each network's own mean
            optimizer.step()
            yield


class Reached(NamedTuple):
    """When a network came to its target: after these updates, or, if it never did, all that it took."""

    updates: int
    reached: bool


def until(updates: Iterator[None], at_target: Callable[[], Tensor], *, every: int = 1) -> list[Reached]:
    """Take updates until every network has been at its target, asked after every `every` of them."""
    at_target = torch.no_grad()(at_target)
    first, taken = torch.zeros_like(at_target(), dtype=torch.long), 0
    for taken, _ in enumerate(updates, start=1):
        if taken % every == 0:
            first = torch.where(at_target() & (first == 0), taken, first)
            if (first > 0).all():
                break
    return [Reached(count or taken, count > 0) for count in first.tolist()]


@torch.no_grad()
def accuracies(stacked: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """Return the accuracy (networks,) on inputs (networks, n, d) and labels (networks, n)."""
    logits = stacked(inputs)
    predicted = (logits[..., 0] > 0).long() if logits.shape[-1] == 1 else logits.argmax(dim=-1)
    shares: Tensor = (predicted == labels).double().mean(dim=1)
    return shares


def losses(stacked: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy (networks,) on such data, which is the log loss where there is one logit."""
    logits = stacked(inputs)
    if logits.shape[-1] == 1:
        targets = labels.to(logits.dtype)
        return functional.binary_cross_entropy_with_logits(logits[..., 0], targets, reduction="none").mean(dim=1)
    return functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none").mean(dim=1)
