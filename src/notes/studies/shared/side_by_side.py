"""Networks that train side by side, each on its own data.

A small network leaves a processor idle between its operations. A dozen of them cost little more than one if each
operation works for all: their weights lie in one tensor, a network a slice.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp
from notes.sources.synthetic import make_moons

Data = tuple[Tensor, Tensor]  # inputs (networks, n, d) and labels (networks, n)


def moons(rows: int, randoms: Sequence[np.random.Generator], noise: float = 0.2) -> Data:
    """Return new points of two moons for each of the generators."""
    tables = [make_moons(rows=rows, noise=noise, generator=random) for random in randoms]
    inputs = np.stack([table[["x1", "x2"]].to_numpy(np.float32) for table in tables])
    return torch.tensor(inputs), torch.tensor(np.stack([table["y"].to_numpy() for table in tables]))


class SideBySide(nn.Module):
    """Networks of one shape: (networks, n, inputs) → logits (networks, n, outputs)."""

    def __init__(self, networks: Sequence[Mlp]) -> None:
        super().__init__()
        layers = zip(*(network.layers for network in networks), strict=True)
        self.layers = nn.Sequential(*(Linears(them) if isinstance(them[0], nn.Linear) else them[0] for them in layers))

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.layers(inputs)
        return logits


class Linears(nn.Module):
    """Linear layers of one shape, each for its own slice of the inputs."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.get_parameter("weight").detach().T for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.get_parameter("bias").detach()[None] for layer in layers]))

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, inputs, self.weight)


def losses(networks: SideBySide, data: Data) -> Tensor:
    """Return the cross-entropy of each network; their sum has each one's own gradient."""
    inputs, labels = data
    entropies = functional.cross_entropy(networks(inputs).flatten(0, 1), labels.flatten(), reduction="none")
    return entropies.view(labels.shape).mean(dim=1)


def descend(networks: SideBySide, batches: Iterable[Data], learning_rate: float) -> Tensor:
    """Take a step of Adam for each batch; return the losses before each step (steps, networks)."""
    optimizer = make_optimizer(networks, "adam", learning_rate)
    history = []
    for batch in batches:
        before = losses(networks, batch)
        optimizer.zero_grad()
        before.sum().backward()
        optimizer.step()
        history.append(before.detach())
    return torch.stack(history)


def shuffled(data: Data, size: int, generators: Sequence[torch.Generator]) -> Iterator[Data]:
    """Yield the full batches of one epoch, each network's own rows in an order from its own generator."""
    inputs, labels = data
    order = torch.stack([torch.randperm(labels.shape[1], generator=generator) for generator in generators])
    networks = torch.arange(len(labels))[:, None]
    for start in range(0, labels.shape[1] - size + 1, size):
        rows = order[:, start : start + size]
        yield inputs[networks, rows], labels[networks, rows]


@torch.no_grad()
def percent_right(networks: SideBySide, data: Data) -> list[float]:
    """Return each network's accuracy in percent."""
    right = networks(data[0]).argmax(dim=2) == data[1]
    return [100 * float(share) for share in right.double().mean(dim=1)]
