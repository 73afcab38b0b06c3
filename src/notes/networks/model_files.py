"""Networks as model files, data and not code: saving, loading and asking them, and starting a regression from one."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from notes.files import UserError, digest, load_tensors, save_tensors
from notes.networks.mlp import Mlp
from notes.networks.regression import LinearRegression, Powers

Network = LinearRegression | Mlp


def save_network(path: Path | str, network: Network) -> None:
    """Write weights and architecture as one safetensors file."""
    tensors = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    save_tensors(path, tensors, network.architecture())


def load_network(path: Path | str) -> Network:
    """Return the network of a model file, ready for inference (`eval` mode); raise UserError for any other file."""
    tensors, architecture = load_tensors(path)
    try:
        _refuse_other_shapes(tensors, architecture)
        network = build(architecture)
        network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} does not hold the network it describes ({reason}): restore it with `dvc repro`."
        ) from None
    return network.eval()


def build(architecture: dict[str, Any]) -> Network:
    """Make the untrained module that an `architecture()` describes.

    Anything else raises KeyError, RuntimeError, TypeError or ValueError, from here or from torch.
    """
    if architecture["kind"] == "linear_regression":
        return LinearRegression(architecture["features"], architecture["degree"])
    if architecture["kind"] != "mlp":
        raise ValueError(f"there is no network of the kind {architecture['kind']}")
    inputs, *hidden_sizes, outputs = architecture["sizes"]
    options = {name: architecture[name] for name in ("activation", "dropout", "batch_norm")}
    return Mlp(inputs, hidden_sizes, outputs, **options, noise=architecture.get("noise", 0.0))


def _refuse_other_shapes(tensors: dict[str, np.ndarray], architecture: dict[str, Any]) -> None:
    """Raise ValueError where the architecture is not that of the tensors: a few bytes can describe fifty million units.

    It is built without memory, and not at all when it has more layers than there are tensors.
    """
    if len(architecture.get("sizes", ())) > len(tensors) + 1:
        raise ValueError(f"{len(architecture['sizes'])} layers of units, but {len(tensors)} tensors")
    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in build(architecture).state_dict().items()}
    found = {name: array.shape for name, array in tensors.items()}
    if expected != found:
        name = min(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise ValueError(f"{name} has the shape {found.get(name)}, not {expected.get(name)}")


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


def pretrained_parameters(path: str, md5: str, powers: Powers) -> tuple[Tensor, Tensor]:
    """Return the weights (powers,) and the bias (1,) with which a regression on `powers` equals the one of a file.

    Whatever data the file's model was standardised with. Raises UserError when the file is not the one that `md5`
    names, or its model does not fit.
    """
    found = digest(path)
    if found != md5:
        raise UserError(f"{path} has the MD5 {found}, not {md5}: put that in pretrained_md5 if you mean this file.")
    network = load_network(path)
    if not isinstance(network, LinearRegression):
        raise UserError(f"{path} is no regression model: choose one of models/linear, multivariate or polynomial.")
    intercept, *slopes = network.coefficients()
    count = powers.mean.numel()
    if len(slopes) != count:
        raise UserError(
            f"the pretrained model has {len(slopes)} weights, this one {count}: choose the same task and degree."
        )
    raw = torch.tensor(slopes, dtype=torch.float64)
    return raw * powers.scale, (intercept + (raw * powers.mean).sum()).reshape(1)
