"""The two training loops: arrays and plain arguments in, one record an epoch out.

Whoever calls a loop logs its records, draws a progress bar or stops early by no longer asking for the next one.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from provenn.data.tasks import Split
from provenn.files import UserError
from provenn.models.modules import LinearRegression, Mlp

Record = dict[str, float]
Criterion = Callable[[Tensor, Tensor], Tensor]  # logits (n, outputs) and labels (n,) in, a scalar out


class NonFiniteLossError(UserError):
    """Training diverged; the message says at which epoch and what to lower."""

    def __init__(self, unit: str, number: int) -> None:
        super().__init__(f"the loss is no longer finite in {unit} {number}: lower learning_rate.")


class Trainable(Protocol):
    """What `training.fit_regression` needs of a model."""

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


@dataclass(frozen=True)
class ClassifierOptions:
    """How `fit_classifier` trains; the names and meanings are those of `train_mlp` in params.yaml.

    `loss` may also be a criterion of the caller's own.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str = "adam"
    weight_decay: float = 0.0
    schedule: str = "constant"
    loss: str | Criterion = "cross_entropy"
    patience: int | None = None

    @classmethod
    def of(cls, settings: Any) -> "ClassifierOptions":
        """Take the fields of the same names from a section of `train_mlp`."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})


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


def fit_classifier(
    network: Mlp,
    train: Split,
    validation: Split,
    options: ClassifierOptions,
    *,
    generator: torch.Generator,
    device: str = "cpu",
) -> Iterator[Record]:
    """Train on mini-batches reshuffled each epoch; at the end `network` holds its best validation epoch.

    The best epoch is the one of the lowest validation loss (`val/best` is 1 where a new one was reached). The training
    loss is the mean over samples as the weights moved; the smaller last batch counts by its size. Raises
    NonFiniteLossError, and UserError for a batch size that does not fit the number of samples.
    """
    if options.batch_size > len(train.targets):
        raise UserError(
            f"batch_size is {options.batch_size}, but there are only {len(train.targets)} training samples: lower it."
        )
    if len(train.targets) % options.batch_size == 1 and any(isinstance(m, nn.BatchNorm1d) for m in network.modules()):
        raise UserError(
            f"batch_norm needs 2 samples a batch, but batch_size {options.batch_size} leaves 1 of the "
            f"{len(train.targets)} training samples for the last batch: change batch_size."
        )
    network.to(device)
    inputs, labels = _tensors(train, device)
    held_out = _tensors(validation, device)
    named: dict[str, Criterion] = {"cross_entropy": functional.cross_entropy, "log_loss": log_loss}
    criterion = named[options.loss] if isinstance(options.loss, str) else options.loss
    optimizer = make_optimizer(network, options)
    steps = math.ceil(len(labels) / options.batch_size)
    schedule = make_schedule(optimizer, options, steps)
    best_loss, best_epoch, best_weights = math.inf, 0, network.state_dict()

    for epoch in range(1, options.epochs + 1):
        network.train()
        order = torch.randperm(len(labels), generator=generator).to(device)
        total = torch.zeros((), dtype=torch.float64, device=device)
        for batch in torch.split(order, options.batch_size):
            loss = criterion(network(inputs[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if schedule:
                schedule.step()
            total += loss.detach() * len(batch)
        train_loss = total.item() / len(labels)
        val_loss, val_accuracy = evaluate(network, *held_out, criterion)
        if not (math.isfinite(train_loss) and math.isfinite(val_loss)):
            raise NonFiniteLossError("epoch", epoch)
        improved = val_loss < best_loss
        if improved:
            best_loss, best_epoch, best_weights = val_loss, epoch, copy.deepcopy(network.state_dict())
        yield {
            "epoch": epoch,
            "train/loss": train_loss,
            "val/loss": val_loss,
            "val/accuracy": val_accuracy,
            "val/best": float(improved),
        }
        if options.patience is not None and epoch - best_epoch >= options.patience:
            break
    network.load_state_dict(best_weights)
    network.to("cpu").eval()


def log_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of logits (n, 1) for labels 0 and 1 (n,)."""
    return functional.binary_cross_entropy_with_logits(logits.squeeze(1), labels.to(logits.dtype))


@torch.no_grad()
def evaluate(network: nn.Module, inputs: Tensor, labels: Tensor, criterion: Any) -> tuple[float, float]:
    """Return mean loss and accuracy over a split, in `eval` mode and without gradients."""
    network.eval()
    logits = torch.cat([network(batch) for batch in torch.split(inputs, 1000)])
    predicted = (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1)
    return criterion(logits, labels).item(), (predicted == labels).double().mean().item()


def make_optimizer(network: nn.Module, options: ClassifierOptions) -> torch.optim.Optimizer:
    """Return Adam, or SGD with momentum 0.9."""
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), lr=options.learning_rate, momentum=0.9, weight_decay=options.weight_decay, fused=True
        )
    return torch.optim.Adam(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
    )


def make_schedule(
    optimizer: torch.optim.Optimizer, options: ClassifierOptions, steps: int
) -> torch.optim.lr_scheduler.OneCycleLR | None:
    """Return the one-cycle schedule (Smith, 2018), or None for a constant learning rate."""
    if options.schedule == "constant":
        return None
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=options.learning_rate, total_steps=options.epochs * steps, cycle_momentum=False
    )


def _tensors(split: Split, device: str) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(np.ascontiguousarray(split.inputs)).to(device), torch.from_numpy(split.targets).to(device)
