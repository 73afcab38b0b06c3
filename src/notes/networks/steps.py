"""A step of training: by autograd, as every textbook has it, and written out, the same without what autograd costs.

Written out it is for a CPU, and for layers whose slope is known here. Nothing is approximated: the same kernels work on
the same numbers in the same order, so that every weight is the same bit for bit, in half the time where batches are
small. `by_hand` has the formulas, with their sources.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from notes.networks import linear
from notes.networks.linear import Linear
from notes.networks.losses import Criterion

if TYPE_CHECKING:
    from notes.networks.mlp import Mlp

aten = torch.ops.aten
MEAN, IGNORED = 1, -100  # torch's defaults: the mean over the rows, and the label that no row has
ONE = torch.ones(())
# In place: f(z); and the gradient for z from that for f(z) and f(z) itself.
ACTIVATIONS: dict[type[nn.Module], tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    nn.ReLU: (torch.relu_, lambda gradient, outputs: aten.threshold_backward(gradient, outputs, 0)),
    nn.Sigmoid: (torch.sigmoid_, aten.sigmoid_backward),
    nn.Tanh: (torch.tanh_, aten.tanh_backward),
}


# Of a batch, inputs (n, d) and labels (n,), in; out are loss and logits (n, outputs) of before the step.
Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def step_by_autograd(
    forward: Callable[[Tensor], Tensor], criterion: Criterion, optimizer: torch.optim.Optimizer
) -> Step:
    """Return the step of every textbook: forward, backward, and one of the optimizer's."""

    def step(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = forward(inputs)
        loss = criterion(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach(), logits.detach()

    return step


class Layer(Protocol):
    """What a layer does with a batch: `forward` in the order of the layers, `backward` in the reverse one."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, outputs) of inputs (n, d)."""

    def backward(self, gradient: Tensor) -> Tensor:
        """Return the gradient for the inputs, from that for the outputs, and leave those of the parameters."""


class Product:
    """A linear layer; the `first` of a network has no use for the gradient of its inputs."""

    def __init__(self, layer: Linear, first: bool) -> None:
        self.weight, self.bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()
        self.slopes = [torch.empty_like(values) for values in layer.parameters()]
        for values, slope in zip(layer.parameters(), self.slopes, strict=True):
            values.grad = slope
        self.first = first

    def forward(self, inputs: Tensor) -> Tensor:
        self.inputs = inputs
        if not linear.PORTABLE:
            return functional.linear(inputs, self.weight, self.bias)
        outputs = torch.from_numpy(inputs.numpy() @ self.weight.numpy().T)
        return outputs if self.bias is None else outputs.add_(self.bias)

    def backward(self, gradient: Tensor) -> Tensor:
        if self.bias is not None:
            torch.sum(gradient, 0, out=self.slopes[1])
        if not linear.PORTABLE:
            torch.mm(gradient.T, self.inputs, out=self.slopes[0])
            return gradient if self.first else gradient @ self.weight
        slope = gradient.numpy()
        np.matmul(slope.T, self.inputs.numpy(), out=self.slopes[0].numpy())
        return gradient if self.first else torch.from_numpy(slope @ self.weight.numpy())


class Activation:
    """A function of each number by itself."""

    def __init__(self, layer: nn.Module) -> None:
        self.function, self.slope = ACTIVATIONS[type(layer)]

    def forward(self, inputs: Tensor) -> Tensor:
        self.outputs = self.function(inputs)
        return self.outputs

    def backward(self, gradient: Tensor) -> Tensor:
        return self.slope(gradient, self.outputs)


class BatchNorm:
    """Batch normalisation in training; the running statistics are the layer's own."""

    def __init__(self, layer: nn.BatchNorm1d) -> None:
        self.layer = layer
        self.fixed = (layer.weight.detach(), layer.running_mean, layer.running_var)

    def forward(self, inputs: Tensor) -> Tensor:
        weight, mean, variance = self.fixed
        self.inputs = inputs
        self.layer.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        outputs: Tensor
        outputs, *self.saved = aten.native_batch_norm(
            inputs, weight, self.layer.bias.detach(), mean, variance, True, self.layer.momentum, self.layer.eps
        )
        return outputs

    def backward(self, gradient: Tensor) -> Tensor:
        of_inputs: Tensor
        of_inputs, self.layer.weight.grad, self.layer.bias.grad = aten.native_batch_norm_backward(
            gradient, self.inputs, *self.fixed, *self.saved, True, self.layer.eps, [True, True, True]
        )
        return of_inputs


class Dropout:
    """Dropout in training, drawn from torch's global generator as `nn.Dropout` draws."""

    def __init__(self, layer: nn.Dropout) -> None:
        self.kept = 1 - layer.p

    def forward(self, inputs: Tensor) -> Tensor:
        self.mask = torch.empty_like(inputs).bernoulli_(self.kept).div_(self.kept)
        return inputs * self.mask

    def backward(self, gradient: Tensor) -> Tensor:
        return gradient * self.mask


def write_out(network: "Mlp", criterion: Criterion, optimizer: torch.optim.Optimizer) -> Step | None:
    """Return the same step as `step_by_autograd`, or None where there is no other, or where hooks watch it."""
    on_cpu = all(values.device.type == "cpu" for values in network.parameters())
    watched = any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    written = [_written(layer, first=number == 0) for number, layer in enumerate(network.layers)]
    known = [layer for layer in written if layer]
    if watched or not on_cpu or len(known) < len(written):
        return None
    differentiate = _cross_entropy if _is_cross_entropy(criterion) else partial(_by_autograd, criterion)
    move = _adam(optimizer)

    @torch.no_grad()
    def step(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        for layer in known:
            inputs = layer.forward(inputs)
        loss, gradient = differentiate(inputs, labels)
        for layer in reversed(known):
            gradient = layer.backward(gradient)
        move()
        return loss, inputs

    return step


def _is_cross_entropy(criterion: Criterion) -> bool:
    plain = isinstance(criterion, partial) and criterion.func is functional.cross_entropy
    return plain and criterion.keywords == {"label_smoothing": 0.0}  # type: ignore[attr-defined]


def _cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    log_probabilities = torch.log_softmax(logits, 1)
    loss, weight = aten.nll_loss_forward(log_probabilities, labels, None, MEAN, IGNORED)
    gradient = aten.nll_loss_backward(ONE, log_probabilities, labels, None, MEAN, IGNORED, weight)
    return loss, aten._log_softmax_backward_data(gradient, log_probabilities, 1, logits.dtype)


@torch.enable_grad()
def _by_autograd(criterion: Criterion, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.detach().requires_grad_()
    loss = criterion(logits, labels)
    return loss.detach(), torch.autograd.grad(loss, logits)[0]


def _written(layer: nn.Module, first: bool) -> Layer | None:
    if isinstance(layer, Linear):
        return Product(layer, first)
    if type(layer) in ACTIVATIONS:
        return Activation(layer)
    if isinstance(layer, nn.BatchNorm1d):
        return BatchNorm(layer)
    return Dropout(layer) if isinstance(layer, nn.Dropout) else None


def _adam(optimizer: torch.optim.Optimizer) -> Callable[[], Any]:
    """Return the step of the optimizer; of Adam that nothing else follows, its kernel alone."""
    if not isinstance(optimizer, torch.optim.Adam) or optimizer._optimizer_step_post_hooks:
        return optimizer.step
    groups = [(group, list(group["params"])) for group in optimizer.param_groups]
    means, squares = ([[torch.zeros_like(one) for one in values] for _, values in groups] for _ in range(2))
    steps = [[torch.zeros(()) for _ in values] for _, values in groups]

    def move() -> None:
        for (group, values), mean, square, step in zip(groups, means, squares, steps, strict=True):
            torch._foreach_add_(step, 1)
            torch._fused_adam_(
                values,
                [parameter.grad for parameter in values],
                mean,
                square,
                [],
                step,
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
            )

    return move
