"""Small sets of points in the plane, and a loop that trains on all of them at once."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from notes.networks.extras import make_optimizer
from notes.sources.synthetic import make_moons

Points = tuple[Tensor, Tensor]  # inputs (n, 2) and labels (n,)


def moons(rows: int, random: np.random.Generator, noise: float = 0.2) -> Points:
    """Return new points of two moons."""
    table = make_moons(rows=rows, noise=noise, generator=random)
    return torch.tensor(table[["x1", "x2"]].to_numpy(np.float32)), torch.tensor(table["y"].to_numpy())


def descend(network: nn.Module, points: Points, steps: int, learning_rate: float) -> None:
    """Take steps of Adam on the cross-entropy of all points."""
    optimizer = make_optimizer(network, "adam", learning_rate)
    for _ in range(steps):
        loss = functional.cross_entropy(network(points[0]), points[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def percent_right(network: nn.Module, points: Points) -> float:
    """Return the accuracy in percent."""
    return 100 * (network(points[0]).argmax(dim=1) == points[1]).double().mean().item()
