"""Points in the plane, and networks that train side by side, each on its own points.

A small network leaves a processor idle between its operations. A dozen of them cost little more than one if each
operation works for all: their weights lie in one tensor, a network a slice.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp
from notes.sources.synthetic import make_moons

Points = tuple[Tensor, Tensor]  # inputs (networks, n, 2) and labels (networks, n)


def moons(rows: int, randoms: Sequence[np.random.Generator], noise: float = 0.2) -> Points:
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


def total_loss(networks: SideBySide, points: Points) -> Tensor:
    """Return the sum over the networks of their cross-entropies, so that each has its own gradient."""
    inputs, labels = points
    return len(labels) * functional.cross_entropy(networks(inputs).flatten(0, 1), labels.flatten())


def descend(networks: SideBySide, points: Points, steps: int, learning_rate: float) -> None:
    """Take steps of Adam, each on all points of each network."""
    optimizer = make_optimizer(networks, "adam", learning_rate)
    for _ in range(steps):
        loss = total_loss(networks, points)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def percent_right(networks: SideBySide, points: Points) -> list[float]:
    """Return each network's accuracy in percent."""
    right = networks(points[0]).argmax(dim=2) == points[1]
    return [100 * float(share) for share in right.double().mean(dim=1)]
