"""Linear regression by gradient descent: the loop, the neuron by hand, and the same neuron with `nn.Linear`.

The loop trains either, so a reader can put them side by side. What one neuron does here, `mlp` does with many;
`by_hand` works the gradients out that `backward` finds. Sections 5 and 6 of the notes.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from notes.data.tasks import Split
from notes.files import UserError


def fit_regression(
    model: "Regression", train: Split, validation: Split, *, max_iterations: int, tolerance: float
) -> Iterator[dict[str, float]]:
    """Descend the mean squared error of the whole training set until no gradient is larger than `tolerance`.

    Yields ten records a decade of iterations and the last one: the error falls geometrically, and so do the records.
    Raises UserError when the loss is no longer finite.
    """
    inputs, targets = torch.from_numpy(train.inputs), torch.from_numpy(train.targets)
    held_out_inputs, held_out_targets = torch.from_numpy(validation.inputs), torch.from_numpy(validation.targets)
    next_record = 1.0
    for iteration in range(1, max_iterations + 1):
        predictions = model(inputs)
        loss = model.loss(predictions, targets)
        model.zero_grad()
        loss.backward()
        if not math.isfinite(loss.item()):
            raise UserError(f"the loss is no longer finite in iteration {iteration}: lower learning_rate.")
        steepest = largest_gradient(model.parameters())
        finished = steepest <= tolerance or iteration == max_iterations
        if iteration >= next_record or finished:
            next_record = iteration * 10**0.1
            with torch.no_grad():
                val_loss = model.loss(model(held_out_inputs), held_out_targets).item()
            yield {
                "epoch": iteration,
                "train/loss": loss.item(),
                "val/loss": val_loss,
                "val/rmse": math.sqrt(val_loss),
                "train/largest_gradient": steepest,
            }
        if steepest <= tolerance:
            return
        model.step()


class ScratchRegression:
    """A neuron without activation, ŷ = z·w + b on standardised powers z of x: tensors and autograd, nothing else."""

    def __init__(self, powers: "Powers", weight: Tensor, bias: Tensor, learning_rate: float) -> None:
        self.powers = powers
        self.weight = weight.clone().requires_grad_()
        self.bias = bias.clone().requires_grad_()
        self.learning_rate = learning_rate

    def __call__(self, inputs: Tensor) -> Tensor:
        predictions: Tensor = self.powers(inputs) @ self.weight + self.bias
        return predictions

    def loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        return ((predictions - targets) ** 2).mean()

    def zero_grad(self) -> None:
        # backward() adds to the gradients that are there; without this the steps would grow with every iteration.
        self.weight.grad = self.bias.grad = None

    def step(self) -> None:
        with torch.no_grad():
            for parameter in self.parameters():
                assert parameter.grad is not None
                parameter -= self.learning_rate * parameter.grad

    def parameters(self) -> list[Tensor]:
        return [self.weight, self.bias]

    def to_network(self) -> "LinearRegression":
        return LinearRegression.of(self.powers, self.weight, self.bias)


class ModuleRegression:
    """The same neuron as `nn.Linear` with `nn.MSELoss` and an optimizer."""

    def __init__(
        self, powers: "Powers", weight: Tensor, bias: Tensor, learning_rate: float, optimizer: str = "sgd"
    ) -> None:
        self.network = LinearRegression.of(powers, weight, bias)
        self.criterion = nn.MSELoss()
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
        self.optimizer = kind(self.network.parameters(), lr=learning_rate, fused=True)

    def __call__(self, inputs: Tensor) -> Tensor:
        predictions: Tensor = self.network(inputs)
        return predictions

    def loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        error: Tensor = self.criterion(predictions, targets)
        return error

    def zero_grad(self) -> None:
        self.optimizer.zero_grad()

    def step(self) -> None:
        self.optimizer.step()

    def parameters(self) -> list[Tensor]:
        return list(self.network.parameters())

    def to_network(self) -> "LinearRegression":
        return self.network


class Regression(Protocol):
    """What the loop asks of a model."""

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the predictions (n,) for features (n, d)."""

    def loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error, a scalar to call `backward` on."""

    def zero_grad(self) -> None:
        """Forget the gradients of the last iteration."""

    def step(self) -> None:
        """Take one step down the gradient."""

    def parameters(self) -> list[Tensor]:
        """Return the weights and the bias."""

    def to_network(self) -> "LinearRegression":
        """Return the trained model as the module that is saved, served and exported."""


class LinearRegression(nn.Module):
    """One neuron without activation on the powers of the features: (n, d) float64 → (n,)."""

    def __init__(self, features: int, degree: int = 1) -> None:
        super().__init__()
        self.powers = Powers(features, degree)
        self.linear = nn.Linear(features * degree, 1, dtype=torch.float64)

    @classmethod
    @torch.no_grad()
    def of(cls, powers: "Powers", weight: Tensor, bias: Tensor) -> "LinearRegression":
        """Return the neuron with copies of these weights (powers,) and this bias (1,)."""
        network = cls(weight.numel() // powers.degree, powers.degree)
        network.powers = powers
        network.linear.weight.copy_(weight[None])
        network.linear.bias.copy_(bias)
        return network

    def forward(self, inputs: Tensor) -> Tensor:
        values: Tensor = self.linear(self.powers(inputs)).squeeze(1)
        return values

    def coefficients(self) -> np.ndarray:
        """Return intercept and weights of the raw powers, (1 + d · degree,): the standardisation undone."""
        weights = self.linear.weight[0].detach() / self.powers.scale
        intercept = self.linear.bias.detach()[0] - (weights * self.powers.mean).sum()
        return torch.cat([intercept[None], weights]).numpy()

    def architecture(self) -> dict[str, Any]:
        """Return what a model file says of this module beside its weights."""
        features = self.powers.mean.numel() // self.powers.degree
        return {"kind": "linear_regression", "features": features, "degree": self.powers.degree}


class Powers(nn.Module):
    """Map (n, d) features to their standardised powers 1 … degree, (n, d · degree): x₁ … x_d, x₁² … x_d², …

    So a polynomial is fitted as a line is. Standardising each power makes gradient descent well conditioned; the mean
    and the scale belong to the model.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int, degree: int) -> None:
        super().__init__()
        self.degree = degree
        self.register_buffer("mean", torch.zeros(features * degree, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(features * degree, dtype=torch.float64))

    def fit(self, inputs: Tensor) -> "Powers":
        """Take mean and scale of each power from training features (n, d); a constant column keeps scale 1."""
        powers = self._powers(inputs)
        self.mean.copy_(powers.mean(dim=0))
        deviation = powers.std(dim=0, correction=0)
        # Rounding gives a constant column a deviation that is not quite zero.
        varies = powers.amax(dim=0) > powers.amin(dim=0)
        self.scale.copy_(torch.where(varies, deviation, torch.ones_like(deviation)))
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        return (self._powers(inputs) - self.mean) / self.scale

    def _powers(self, inputs: Tensor) -> Tensor:
        return torch.cat([inputs**power for power in range(1, self.degree + 1)], dim=1)


def initial_parameters(initialisation: str, powers: Powers, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the weights (powers,) and the bias (1,) to start from: `zeros`, or `randn`, standard normal weights."""
    count = powers.mean.numel()
    bias = torch.zeros(1, dtype=torch.float64)
    if initialisation == "zeros":
        return torch.zeros(count, dtype=torch.float64), bias
    return torch.randn(count, dtype=torch.float64, generator=generator), bias


def largest_gradient(parameters: Iterable[Tensor]) -> float:
    """Return the largest absolute partial derivative of the loss."""
    return max(parameter.grad.abs().max().item() for parameter in parameters if parameter.grad is not None)
