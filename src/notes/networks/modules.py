"""The networks as `nn.Module`: linear regression on powers, and the multi-layer perceptron; and their model files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from notes.files import UserError, load_tensors, save_tensors

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
}


class Powers(nn.Module):
    """Map (n, d) features to their standardised powers 1 … degree, (n, d · degree): x₁ … x_d, x₁² … x_d², …

    Standardising each power makes gradient descent well conditioned; the mean and the scale belong to the model.
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


class LinearRegression(nn.Module):
    """One neuron without activation on the powers of the features: (n, d) float64 → (n,)."""

    def __init__(self, features: int, degree: int = 1) -> None:
        super().__init__()
        self.powers = Powers(features, degree)
        self.linear = nn.Linear(features * degree, 1, dtype=torch.float64)

    def forward(self, inputs: Tensor) -> Tensor:
        values: Tensor = self.linear(self.powers(inputs)).squeeze(1)
        return values

    def coefficients(self) -> np.ndarray:
        """Return intercept and weights of the raw powers, (1 + d · degree,): the standardisation undone."""
        weights = self.linear.weight[0].detach() / self.powers.scale
        intercept = self.linear.bias.detach()[0] - (weights * self.powers.mean).sum()
        return torch.cat([intercept[None], weights]).numpy()

    def architecture(self) -> dict[str, Any]:
        """Return what `build` needs to make this module again."""
        features = self.powers.mean.numel() // self.powers.degree
        return {"kind": "linear_regression", "features": features, "degree": self.powers.degree}


class GaussianNoise(nn.Module):
    """Adds Gaussian noise of a standard deviation, drawn from torch's global generator; in `eval` mode nothing."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.deviation * torch.randn_like(inputs) if self.training else inputs

    def extra_repr(self) -> str:
        return f"deviation={self.deviation}"


class Mlp(nn.Module):
    """A multi-layer perceptron: (n, inputs) → logits (n, outputs); without hidden layers it is logistic regression.

    A hidden layer is Linear → BatchNorm (optional) → activation → Dropout (optional); the inputs may have a Dropout of
    their own. `noise` is the standard deviation of Gaussian noise on the inputs and before each activation (the
    baseline of Rasmus et al., 2015). One output is the logit of class 1 of two. Weights start as He et al. (2015)
    propose for ReLU and its kin, as Glorot & Bengio (2010) for sigmoid, tanh and the last layer; biases at zero.
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
        input_dropout: float = 0.0,
        noise: float = 0.0,
    ) -> None:
        super().__init__()
        self.options: dict[str, Any] = {
            "activation": activation,
            "dropout": dropout,
            "batch_norm": batch_norm,
            "input_dropout": input_dropout,
        } | ({"noise": noise} if noise else {})
        self.sizes = [inputs, *hidden_sizes, outputs]
        layers: list[nn.Module] = [nn.Dropout(input_dropout)] if input_dropout else []
        if noise:
            layers.append(GaussianNoise(noise))
        for fan_in, fan_out in zip(self.sizes[:-2], self.sizes[1:-1], strict=True):
            layers.append(nn.Linear(fan_in, fan_out))
            if batch_norm:
                layers.append(nn.BatchNorm1d(fan_out))
            if noise:
                layers.append(GaussianNoise(noise))
            layers.append(ACTIVATIONS[activation]())
            if dropout:
                layers.append(nn.Dropout(dropout))
        layers.append(nn.Linear(self.sizes[-2], outputs))
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.layers(inputs)
        return logits

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> "Mlp":
        """Draw every weight from `generator`, which makes the start independent of torch's global random state."""
        saturating = self.options["activation"] in ("sigmoid", "tanh")
        linears = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        for layer in linears:
            if saturating or layer is linears[-1]:
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            else:
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
        return self

    def architecture(self) -> dict[str, Any]:
        """Return what `build` needs to make this module again."""
        return {"kind": "mlp", "sizes": self.sizes, **self.options}


Network = LinearRegression | Mlp


def build(architecture: dict[str, Any]) -> Network:
    """Make the untrained module that an `architecture()` describes.

    Anything else raises KeyError, RuntimeError, TypeError or ValueError, from here or from torch.
    """
    if architecture["kind"] == "linear_regression":
        return LinearRegression(architecture["features"], architecture["degree"])
    if architecture["kind"] != "mlp":
        raise ValueError(f"there is no network of the kind {architecture['kind']}")
    inputs, *hidden_sizes, outputs = architecture["sizes"]
    options = {name: architecture[name] for name in ("activation", "dropout", "batch_norm", "input_dropout")}
    return Mlp(inputs, hidden_sizes, outputs, **options, noise=architecture.get("noise", 0.0))


def save_network(path: Path | str, network: Network) -> None:
    """Write weights and architecture as one safetensors file: data, not code."""
    tensors = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    save_tensors(path, tensors, network.architecture())


def load_network(path: Path | str) -> Network:
    """Return the network of a model file, ready for inference (`eval` mode); raise UserError for any other file."""
    tensors, architecture = load_tensors(path)
    try:
        network = build(architecture)
        network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} does not hold the network it describes ({reason}): restore it with `dvc repro`."
        ) from None
    return network.eval()


@torch.no_grad()
def predict(network: Network, inputs: np.ndarray) -> np.ndarray:
    """Return values (n,) of a regression, or class probabilities (n, classes); two columns for a single logit."""
    network.eval()
    batches = torch.split(torch.from_numpy(inputs), 1000)
    outputs = torch.cat([network(batch) for batch in batches])
    if isinstance(network, LinearRegression):
        return outputs.numpy()
    if outputs.shape[1] == 1:
        positive = torch.sigmoid(outputs.double())
        return torch.cat([1 - positive, positive], dim=1).numpy()
    return torch.softmax(outputs.double(), dim=1).numpy()
