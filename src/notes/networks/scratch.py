"""Linear regression from tensors alone, as the notes write it: no `nn`, no optimizer.

`ScratchRegression` and `ModuleRegression` share one interface, so that one loop trains both and a reader can put them
side by side: `loss`, `zero_grad`, `update`.
"""

import torch
from torch import Tensor, nn

from notes.files import UserError, digest
from notes.networks.modules import LinearRegression, Powers, load_network


class ScratchRegression:
    """A neuron without activation, ŷ = z·w + b on standardised powers z of x: tensors and autograd, nothing else."""

    def __init__(self, powers: Powers, weight: Tensor, bias: Tensor, learning_rate: float) -> None:
        self.powers = powers
        self.weight = weight.clone().requires_grad_()
        self.bias = bias.clone().requires_grad_()
        self.learning_rate = learning_rate

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        predictions: Tensor = self.powers(inputs) @ self.weight + self.bias
        return ((predictions - targets) ** 2).mean()

    def zero_grad(self) -> None:
        # backward() adds to the gradients that are there; without this the steps would grow with every iteration.
        self.weight.grad = self.bias.grad = None

    def update(self) -> None:
        assert self.weight.grad is not None
        assert self.bias.grad is not None
        with torch.no_grad():
            self.weight -= self.learning_rate * self.weight.grad
            self.bias -= self.learning_rate * self.bias.grad

    def gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in (self.weight, self.bias) if parameter.grad is not None]

    def to_network(self) -> LinearRegression:
        network = LinearRegression(self.weight.numel() // self.powers.degree, self.powers.degree)
        network.powers = self.powers
        with torch.no_grad():
            network.linear.weight.copy_(self.weight[None])
            network.linear.bias.copy_(self.bias)
        return network


class ModuleRegression:
    """The same neuron as `nn.Linear` with `nn.MSELoss` and an optimizer."""

    def __init__(
        self, powers: Powers, weight: Tensor, bias: Tensor, learning_rate: float, optimizer: str = "sgd"
    ) -> None:
        self.network = LinearRegression(weight.numel() // powers.degree, powers.degree)
        self.network.powers = powers
        with torch.no_grad():
            self.network.linear.weight.copy_(weight[None])
            self.network.linear.bias.copy_(bias)
        self.criterion = nn.MSELoss()
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
        self.optimizer = kind(self.network.parameters(), lr=learning_rate)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        error: Tensor = self.criterion(self.network(inputs), targets)
        return error

    def zero_grad(self) -> None:
        self.optimizer.zero_grad()

    def update(self) -> None:
        self.optimizer.step()

    def gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in self.network.parameters() if parameter.grad is not None]

    def to_network(self) -> LinearRegression:
        return self.network


def load_pretrained(path: str | None, md5: str | None) -> LinearRegression | None:
    """Return the regression model to start from; raise UserError when the file is not the one that `md5` names."""
    if path is None:
        return None
    found = digest(path)
    if found != md5:
        raise UserError(f"{path} has the MD5 {found}, not {md5}: put that in pretrained_md5 if you mean this file.")
    network = load_network(path)
    if not isinstance(network, LinearRegression):
        raise UserError(f"{path} is no regression model: choose one of models/linear, multivariate or polynomial.")
    return network


def initial_parameters(
    initialisation: str, powers: Powers, generator: torch.Generator, pretrained: LinearRegression | None = None
) -> tuple[Tensor, Tensor]:
    """Return the weights (powers,) and the bias (1,) to start from.

    `zeros` and `randn` (standard normal weights, zero bias) are the notes' constants and random numbers; `pretrained`
    takes another model's function, whatever data it was standardised with.
    """
    count = powers.mean.numel()
    if pretrained is not None:
        intercept, *slopes = pretrained.coefficients()
        if len(slopes) != count:
            raise UserError(
                f"the pretrained model has {len(slopes)} weights, this one {count}: choose the same task and degree."
            )
        raw = torch.tensor(slopes, dtype=torch.float64)
        return raw * powers.scale, (intercept + (raw * powers.mean).sum()).reshape(1)
    bias = torch.zeros(1, dtype=torch.float64)
    if initialisation == "zeros":
        return torch.zeros(count, dtype=torch.float64), bias
    return torch.randn(count, dtype=torch.float64, generator=generator), bias
