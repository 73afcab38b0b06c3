"""The training loop of regression: gradient descent on the whole training set, a record now and then.

Whoever calls it logs its records, draws a progress bar or stops early by no longer asking for the next one.
"""

import math
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from notes.data.tasks import Split
from notes.networks.modules import LinearRegression
from notes.networks.training import NonFiniteLossError, Record


class Trainable(Protocol):
    """What `fit_regression` needs of a model."""

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error, a scalar to call `backward` on."""

    def zero_grad(self) -> None:
        """Forget the gradients of the last iteration."""

    def update(self) -> None:
        """Take one step of gradient descent."""

    def gradients(self) -> list[Tensor]:
        """Return the gradient of every parameter, after `backward`."""

    def to_network(self) -> LinearRegression:
        """Return the trained model as the module that is saved, served and exported."""


def fit_regression(
    model: Trainable, train: Split, validation: Split, *, max_iterations: int, tolerance: float
) -> Iterator[Record]:
    """Descend the mean squared error of the whole training set until no gradient is larger than `tolerance`.

    Yields ten records a decade of iterations and the last one: the error falls geometrically, and so do the records.
    """
    inputs, targets = torch.from_numpy(train.inputs), torch.from_numpy(train.targets)
    held_out = torch.from_numpy(validation.inputs), torch.from_numpy(validation.targets)
    next_record = 1.0
    for iteration in range(1, max_iterations + 1):
        loss = model.loss(inputs, targets)
        model.zero_grad()
        loss.backward()
        if not math.isfinite(loss.item()):
            raise NonFiniteLossError("iteration", iteration)
        steepest = max(gradient.abs().max().item() for gradient in model.gradients())
        finished = steepest <= tolerance or iteration == max_iterations
        if iteration >= next_record or finished:
            next_record = iteration * 10**0.1
            with torch.no_grad():
                val_loss = model.loss(*held_out).item()
            yield {
                "epoch": iteration,
                "train/loss": loss.item(),
                "val/loss": val_loss,
                "val/rmse": math.sqrt(val_loss),
                "train/largest_gradient": steepest,
            }
        if steepest <= tolerance:
            return
        model.update()
