"""The multi-layer perceptron: its activations and layers, and the loop that trains it.

`steps` has one step of the loop, `losses` what is lowered and counted, `extras` what goes beyond a textbook's loop,
such as schedules and weight averaging. `by_hand` works out in NumPy what `backward` does here; `regression` is the loop
for a single neuron. Sections 1 to 4, 7 and 8 of the notes.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from notes.data.tasks import Split
from notes.files import UserError
from notes.networks import extras
from notes.networks.linear import Linear
from notes.networks.losses import Criterion, accuracy, make_criterion
from notes.networks.steps import Step, step_by_autograd, write_out

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
}


class Mlp(nn.Module):
    """A multi-layer perceptron: (n, inputs) → logits (n, outputs); without hidden layers it is logistic regression.

    A hidden layer is Linear → BatchNorm (optional, then without bias) → activation → Dropout (optional). `noise` is the
    standard deviation of Gaussian noise on the inputs and before each activation (the baseline of Rasmus et al., 2015).
    One output is the logit of class 1 of two.
    """

    def __init__(
        self,
        inputs: int,
        hidden_sizes: Sequence[int],
        outputs: int,
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        noise: float = 0.0,
    ) -> None:
        super().__init__()
        self.options: dict[str, Any] = {"activation": activation, "dropout": dropout, "batch_norm": batch_norm}
        if noise:
            self.options["noise"] = noise
        self.sizes = [inputs, *hidden_sizes, outputs]
        layers: list[nn.Module] = [extras.GaussianNoise(noise)] if noise else []
        for fan_in, fan_out in zip(self.sizes[:-2], self.sizes[1:-1], strict=True):
            # Batch normalisation takes the mean away, and with it a bias: its gradient would be nothing but rounding.
            layers.append(Linear(fan_in, fan_out, bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm1d(fan_out))
            if noise:
                layers.append(extras.GaussianNoise(noise))
            layers.append(ACTIVATIONS[activation]())
            if dropout:
                layers.append(nn.Dropout(dropout))
        layers.append(Linear(self.sizes[-2], outputs))
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.layers(inputs)
        return logits

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, scheme: str = "he") -> "Mlp":
        """Draw every weight from `generator` alone.

        `he`: ReLU and its kin start as He et al. (2015) propose, sigmoid, tanh and the last layer as Glorot & Bengio
        (2010), biases at zero. `glorot`: as scikit-learn's MLPClassifier with ReLU or tanh starts, each layer's weights
        and its biases uniform within ±√(6 / (fan in + fan out)).
        """
        saturating = self.options["activation"] in ("sigmoid", "tanh")
        linears = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        for layer in linears:
            if scheme == "glorot":
                bound = math.sqrt(6 / (layer.in_features + layer.out_features))
                for values in layer.parameters():
                    nn.init.uniform_(values, -bound, bound, generator=generator)
                continue
            if saturating or layer is linears[-1]:
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            else:
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        return self

    def architecture(self) -> dict[str, Any]:
        """Return what a model file says of this module beside its weights."""
        return {"kind": "mlp", "sizes": self.sizes, **self.options}


def train_epoch(step: Step, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """Take a step for each batch (inputs, labels); return mean loss and accuracy over all samples.

    Both are of what training saw: each batch by the weights before its step, with dropout, noise and augmentation.
    """
    sizes, losses, logits, labels = [], [], [], []
    for inputs, batch_labels in batches:
        loss, outputs = step(inputs, batch_labels)
        sizes.append(len(batch_labels))
        losses.append(loss)  # reading a number here would wait for a GPU each time
        logits.append(outputs)
        labels.append(batch_labels)
    mean = np.average(torch.stack(losses).double().cpu().numpy(), weights=sizes)
    return float(mean), accuracy(torch.cat(logits), torch.cat(labels))


@dataclass(frozen=True)
class ClassifierOptions:
    """How `fit_classifier` trains; the names and meanings are those of `train_mlp` in params.yaml.

    `loss` may also be a criterion of the caller's own.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str = "adam"
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "constant"
    loss: str | Criterion = "cross_entropy"
    label_smoothing: float = 0.0
    weight_average: float | None = None
    precision: str = "float32"
    patience: int | None = None
    keep: str = "best"

    @classmethod
    def of(cls, settings: Any) -> "ClassifierOptions":
        """Take the fields of the same names from a section of `train_mlp`."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})


def fit_classifier(
    network: Mlp,
    train: Split,
    validation: Split | None,
    options: ClassifierOptions,
    *,
    generator: torch.Generator,
    device: str = "cpu",
    augment: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[dict[str, float]]:
    """Train `network` and yield a record an epoch; whoever calls logs it, draws a progress bar or stops early.

    It ends, also when it is broken off, with the weights of the epoch with the lowest validation loss so far, or of the
    last one where options.keep is `last` or there is no `validation`, in `eval` mode on the CPU. Shuffling draws from
    `generator`; `augment` changes the inputs (n, d) of each training batch. Raises NonFiniteLossError, and UserError
    for a batch size that does not fit the number of samples.
    """
    extras.require_batches(network, len(train.targets), options.batch_size)
    network.to(device)
    inputs, labels = to_tensors(train, device)
    held_out = to_tensors(validation, device) if validation else None
    criterion = make_criterion(options.loss, options.label_smoothing)
    optimizer = extras.make_optimizer(
        network, options.optimizer, options.learning_rate, options.weight_decay, options.momentum
    )
    if options.schedule == "one_cycle":
        steps = options.epochs * math.ceil(len(labels) / options.batch_size)
        extras.follow_one_cycle(optimizer, options.learning_rate, steps)
    kept = extras.average_weights(network, optimizer, options.weight_average) if options.weight_average else network
    forward = extras.in_bfloat16(network, device) if options.precision == "bfloat16" else network
    step = write_out(network, criterion, optimizer) if type(network) is Mlp and forward is network else None
    step = step or step_by_autograd(forward, criterion, optimizer)
    best_loss, best_epoch, best_weights = math.inf, 0, None

    try:
        for epoch in range(1, options.epochs + 1):
            network.train()
            batches = shuffled_batches(inputs, labels, options.batch_size, generator)
            if augment:
                batches = ((augment(batch), targets) for batch, targets in batches)
            record: dict[str, float] = {"epoch": epoch}
            record["train/loss"], record["train/accuracy"] = train_epoch(step, batches)
            if held_out:
                record["val/loss"], record["val/accuracy"] = evaluate(kept, *held_out, make_criterion(options.loss))
            if not all(math.isfinite(value) for value in record.values()):
                raise NonFiniteLossError(f"the loss is no longer finite in epoch {epoch}: lower learning_rate.")
            if held_out:
                if record["val/loss"] < best_loss:
                    best_loss, best_epoch = record["val/loss"], epoch
                    best_weights = copy.deepcopy(kept.state_dict()) if options.keep == "best" else None
                if options.keep == "best":
                    record["val/best"] = float(best_epoch == epoch)
            yield record
            if held_out and options.patience and epoch - best_epoch >= options.patience:
                break
    finally:  # also where the caller breaks off
        network.load_state_dict(best_weights or kept.state_dict())
        network.to("cpu").eval()


class NonFiniteLossError(UserError):
    """Training diverged."""


def to_tensors(split: Split, device: str) -> tuple[Tensor, Tensor]:
    """Return inputs (n, d) and labels (n,) on the device that trains."""
    inputs = torch.from_numpy(np.ascontiguousarray(split.inputs)).to(device)
    return inputs, torch.from_numpy(split.targets).to(device)


def shuffled_batches(
    inputs: Tensor, labels: Tensor, size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each sample once, in the order of one permutation, the last batch smaller."""
    order = torch.randperm(len(labels), generator=generator).to(labels.device)
    for rows, batch_labels in zip(order.split(size), labels[order].split(size), strict=True):
        # Three times as fast as inputs[rows] for a small batch.
        yield inputs.index_select(0, rows), batch_labels


@torch.no_grad()
def evaluate(network: nn.Module, inputs: Tensor, labels: Tensor, criterion: Criterion) -> tuple[float, float]:
    """Return mean loss and accuracy over a split, in `eval` mode and without gradients."""
    network.eval()
    logits = torch.cat([network(batch) for batch in torch.split(inputs, 1000)])
    return criterion(logits, labels).item(), accuracy(logits, labels)
