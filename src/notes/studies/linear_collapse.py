"""Why a network needs activations: without them its layers collapse into one.

Two linear layers after each other compute W₂(W₁x + b₁) + b₂ = (W₂W₁)x + (W₂b₁ + b₂), which is one linear layer again,
and so on for any number. A deep stack therefore draws nothing but a straight line between two classes. An activation
between the layers bends space, until classes that no line could separate are separated by one.

The study trains the same network on the two moons with and without its activation. It multiplies the weights of the
stack together and compares this one layer with the whole stack; and it looks at the moons as the last layer sees them.
"""

import numpy as np
import torch
from torch import Tensor, nn

from notes.data.tasks import load_split
from notes.intervals import paired_interval
from notes.networks.mlp import ClassifierOptions, Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column, rows_where
from notes.studies.shared.experiment import generator_for, train, without_activation

CLAIM = "Stacked linear layers equal one linear map; an activation bends space, so that the moons become separable."
NOTES = "2. Activation functions"
TOLERANCE = 1e-5
RULE = (
    "Holds if in every repetition the product of the layers differs from the stack by at most 1e-5 of the stack's "
    "largest output, and the 95 % interval of the accuracy that the activation adds lies above zero; fails otherwise."
)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row for each network and repetition, and the points of the first as the last layer sees them."""
    data, held_out = load_split("moons", "train"), load_split("moons", "validation")
    options = ClassifierOptions(settings.epochs, settings.batch_size, settings.learning_rate, loss="log_loss")
    points = torch.from_numpy(held_out.inputs)
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        for name, activation in (("linear", "none"), ("activated", settings.activation)):
            generator = generator_for(seed, repetition)
            network = make_network(settings.hidden_sizes, activation, generator)
            record = list(train(network, data, held_out, options, generator))[-1]
            row = {"part": "network", "network": name, "repetition": repetition, "accuracy": record["val/accuracy"]}
            rows.append(row | {"collapse_error": collapse_error(network, points)})
            if repetition == 0:
                rows += seen_by_the_last_layer(network, name, points, held_out.targets.tolist())
    return rows


def make_network(hidden_sizes: list[int], activation: str, generator: torch.Generator) -> Mlp:
    """Return a freshly drawn network of 2 inputs and 1 logit; `none` is a stack of linear layers alone."""
    network = Mlp(2, hidden_sizes, 1, activation="tanh" if activation == "none" else activation).initialise(generator)
    return without_activation(network) if activation == "none" else network


@torch.no_grad()
def collapse(network: Mlp) -> tuple[Tensor, Tensor]:
    """Multiply all linear layers into one: return its weights (outputs, inputs) and biases (outputs,)."""
    weights, biases = torch.eye(network.sizes[0], dtype=torch.float64), torch.zeros(network.sizes[0]).double()
    for layer in network.layers:
        if isinstance(layer, nn.Linear):
            weights = layer.weight.double() @ weights
            biases = layer.weight.double() @ biases + layer.bias.double()
    return weights, biases


@torch.no_grad()
def collapse_error(network: Mlp, points: Tensor) -> float:
    """Return how far the one layer is from the network at worst, as a share of the network's largest output."""
    weights, biases = collapse(network)
    outputs = network.eval()(points).double()
    distance: Tensor = (points.double() @ weights.T + biases - outputs).abs().max()
    return float(distance / outputs.abs().max())


@torch.no_grad()
def seen_by_the_last_layer(network: Mlp, name: str, points: Tensor, labels: list[int]) -> list[Row]:
    """Return the points as the linear map (stack) or the last layer (activated) finds them, and its straight border."""
    if name == "linear":
        weights, bias = collapse(network)
    else:
        last = network.layers[-1]
        assert isinstance(last, nn.Linear)
        points, weights, bias = network.layers[:-1](points), last.weight, last.bias
    border = {"a": weights[0, 0].item(), "b": weights[0, 1].item(), "c": bias[0].item()}
    places = points[:, :2].tolist()
    return [
        {"part": "point", "network": name, "repetition": 0, "label": label, "x": x, "y": y} | border
        for (x, y), label in zip(places, labels, strict=True)
    ]


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the accuracy that the activation adds."""
    linear = rows_where(rows, part="network", network="linear")
    activated = rows_where(rows, part="network", network="activated")
    gain = paired_interval(100 * column(activated, "accuracy"), 100 * column(linear, "accuracy"))
    worst = max(row["collapse_error"] for row in linear)
    accuracies = (100 * column(linear, "accuracy").mean(), 100 * column(activated, "accuracy").mean())
    return Verdict(
        "holds" if worst <= TOLERANCE and gain.low > 0 else "fails",
        f"accuracy on validation that {settings.activation} adds to a stack of linear layers, percentage points",
        *gain,
        f"A linear stack is one linear map (they differ by {worst:.0e}): {accuracies[0]:.1f} % right; "
        f"with {settings.activation} {accuracies[1]:.1f} %",
    )
