"""11. Shuffled mini-batches (the book's page on a multi-layer perceptron in code)."""

from collections.abc import Iterator

import torch
from torch import Tensor


def batches(inputs: Tensor, labels: Tensor, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (inputs, labels) of `size` samples at a time, each sample once, in a random order; the last may be smaller.

    Draw the order from `generator`.
    """
    raise NotImplementedError
