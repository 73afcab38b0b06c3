"""The training loop of classification: samples and plain arguments in, one record an epoch out.

Whoever calls it logs its records, draws a progress bar or stops early by no longer asking for the next one.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from notes.data.tasks import Split
from notes.files import UserError
from notes.networks.modules import Mlp

Record = dict[str, float]
Criterion = Callable[[Tensor, Tensor], Tensor]  # logits (n, outputs) and labels (n,) in, a scalar out
Augment = Callable[[Tensor], Tensor]  # inputs (n, d) in, changed inputs (n, d) out


class NonFiniteLossError(UserError):
    """Training diverged; the message says at which epoch and what to lower."""

    def __init__(self, unit: str, number: int) -> None:
        super().__init__(f"the loss is no longer finite in {unit} {number}: lower learning_rate.")


class Samples(Protocol):
    """What `fit_classifier` trains on: arrays in memory, or images that are read from a file block by block."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def batches(self, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each sample once, shuffled: inputs (size, d) float32 and labels (size,), the last batch smaller."""


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
    label_smoothing: float = 0.0
    weight_average: float | None = None
    precision: str = "float32"
    patience: int | None = None

    @classmethod
    def of(cls, settings: Any) -> "ClassifierOptions":
        """Take the fields of the same names from a section of `train_mlp`."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})


class InMemory:
    """A split as tensors on the device that trains."""

    def __init__(self, split: Split, device: str = "cpu") -> None:
        self.inputs = torch.from_numpy(np.ascontiguousarray(split.inputs)).to(device)
        self.labels = torch.from_numpy(split.targets).to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the samples in the order of one permutation."""
        order = torch.randperm(len(self), generator=generator).to(self.labels.device)
        for rows, labels in zip(order.split(size), self.labels[order].split(size), strict=True):
            # Three times as fast as inputs[rows] for a small batch.
            yield self.inputs.index_select(0, rows), labels


def fit_classifier(
    network: Mlp,
    train: Split | Samples,
    validation: Split | None,
    options: ClassifierOptions,
    *,
    generator: torch.Generator,
    device: str = "cpu",
    augment: Augment | None = None,
) -> Iterator[Record]:
    """Train on mini-batches reshuffled each epoch; at the end `network` holds its best validation epoch.

    The best epoch is the one of the lowest validation loss (`val/best` is 1 where a new one was reached); without
    validation data it is the last. The training loss is the mean over samples as the weights moved; the smaller last
    batch counts by its size. `augment` changes the inputs of each batch. With `weight_average` the network that is
    validated and kept is the exponential moving average of the weights (Polyak & Juditsky, 1992), taken each step.
    Raises NonFiniteLossError, and UserError for a batch size that does not fit the number of samples.
    """
    samples = InMemory(train, device) if isinstance(train, Split) else train
    require_batches(network, len(samples), options.batch_size)
    network.to(device)
    held_out = InMemory(validation, device) if validation else None
    criterion = make_criterion(options)
    optimizer = make_optimizer(network, options)
    schedule = make_schedule(optimizer, options, steps=math.ceil(len(samples) / options.batch_size))
    average = make_average(network, options.weight_average)
    kept = average.module if average else network
    forward = network if options.precision == "float32" else torch.autocast(device, torch.bfloat16)(network.__call__)
    best_loss, best_epoch, best_weights = math.inf, 0, network.state_dict()

    for epoch in range(1, options.epochs + 1):
        network.train()
        losses, sizes = [], []
        for inputs, labels in samples.batches(options.batch_size, generator):
            loss = criterion(forward(augment(inputs) if augment else inputs).float(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if schedule:
                schedule.step()
            if average:
                average.update_parameters(network)
            losses.append(loss.detach())  # summed after the epoch: reading a number would wait for a GPU each time
            sizes.append(len(labels))
        record: Record = {"epoch": epoch, "train/loss": _weighted_mean(losses, sizes)}
        if held_out:
            plain = make_criterion(options, smoothed=False)
            record["val/loss"], record["val/accuracy"] = evaluate(kept, held_out.inputs, held_out.labels, plain)
        if not all(math.isfinite(value) for value in record.values()):
            raise NonFiniteLossError("epoch", epoch)
        if held_out is None or record["val/loss"] < best_loss:
            best_loss, best_epoch = record.get("val/loss", math.inf), epoch
            best_weights = copy.deepcopy(kept.state_dict()) if held_out else kept.state_dict()
        if held_out:
            record["val/best"] = float(best_epoch == epoch)
        yield record
        if options.patience is not None and epoch - best_epoch >= options.patience:
            break
    network.load_state_dict(best_weights)
    network.to("cpu").eval()


def require_batches(network: nn.Module, samples: int, batch_size: int) -> None:
    """Raise UserError for a batch larger than the data, and for a last batch too small for batch normalisation."""
    if batch_size > samples:
        raise UserError(f"batch_size is {batch_size}, but there are only {samples} training samples: lower it.")
    if samples % batch_size == 1 and any(isinstance(layer, nn.BatchNorm1d) for layer in network.modules()):
        raise UserError(
            f"batch_norm needs 2 samples a batch, but batch_size {batch_size} leaves 1 of the "
            f"{samples} training samples for the last batch: change batch_size."
        )


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


def make_criterion(options: ClassifierOptions, *, smoothed: bool = True) -> Criterion:
    """Return the loss; label smoothing (Szegedy et al., 2016) is for training, and `smoothed` unset leaves it out."""
    if not isinstance(options.loss, str):
        return options.loss
    if options.loss == "log_loss":
        return log_loss
    return partial(functional.cross_entropy, label_smoothing=options.label_smoothing if smoothed else 0.0)


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


def make_average(network: nn.Module, decay: float | None) -> AveragedModel | None:
    """Return the moving average of weights and batch statistics, or None without a decay."""
    if decay is None:
        return None
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def _weighted_mean(losses: list[Tensor], sizes: list[int]) -> float:
    return float(np.average(torch.stack(losses).double().cpu().numpy(), weights=sizes))
