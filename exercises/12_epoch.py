"""12. An epoch of training (the book's page on a multi-layer perceptron in code)."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def epoch(
    forward: Callable[[Tensor], Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    criterion: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
) -> float:
    """Take one step of the optimizer a batch; return the mean loss over all samples.

    forward(inputs) gives logits, criterion(logits, labels) a batch's mean loss.
    """
    raise NotImplementedError
