"""4 to 7: the forward pass, softmax, the cross-entropy, and the backward pass."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from hypothesis import strategies

from checks import Exercise, close, require
from notes.networks.by_hand import ACTIVATIONS, DERIVATIVES, Layer, backward, cross_entropy, forward
from notes.studies.softmax_probabilities import log_sum_exp

STEP = 1e-6


class Network(NamedTuple):
    """A network and samples for it."""

    layers: list[Layer]
    inputs: np.ndarray
    labels: np.ndarray
    activation: str


def draw_network(seed: int) -> Network:
    """Return a network of two or three layers, none as wide as another, and four samples."""
    generator = np.random.default_rng(seed)
    sizes = generator.permutation(np.arange(2, 7))[: generator.integers(3, 5)]
    layers = [
        (generator.normal(size=(outputs, inputs)), generator.normal(size=outputs))
        for inputs, outputs in itertools.pairwise(sizes)
    ]
    activation = generator.choice(["sigmoid", "tanh"])
    return Network(layers, generator.normal(size=(4, sizes[0])), generator.integers(sizes[-1], size=4), str(activation))


def networks() -> "strategies.SearchStrategy[Network]":
    """Return small networks with samples."""
    return strategies.integers(0, 2**16).map(draw_network)


def judge_forward(result: list[np.ndarray], case: Network) -> None:
    """Go through the layers one by one."""
    require(len(result) == len(case.layers) + 1, f"{len(result)} arrays, expected the inputs and one a layer")
    close(result[0], case.inputs, "the first of the outputs, the inputs themselves,")
    for number, (weights, biases) in enumerate(case.layers, start=1):
        z = np.einsum("ni,oi->no", result[number - 1], weights) + biases
        last = number == len(case.layers)
        close(result[number], z if last else ACTIVATIONS[case.activation](z), f"the output of layer {number}")


def forward_with(last: bool = False, hidden: bool = True, biases: bool = True) -> Callable[..., list[np.ndarray]]:
    """Return a forward pass with a mistake."""

    def run(layers: list[Layer], inputs: np.ndarray, activation: str) -> list[np.ndarray]:
        outputs = [inputs]
        for number, (weights, bias) in enumerate(layers, start=1):
            z = outputs[-1] @ weights.T + (bias if biases else 0)
            bent = last if number == len(layers) else hidden
            outputs.append(ACTIVATIONS[activation](z) if bent else z)
        return outputs

    return run


FORWARD = Exercise(
    name="forward",
    cases=networks(),
    run=lambda function, case: [np.asarray(array) for array in function(case.layers, case.inputs, case.activation)],
    judge=judge_forward,
    solution=forward,
    mistakes={
        "The last layer's z are the logits: no activation there.": forward_with(last=True),
        "Hidden layers need the activation, or all layers are one linear map.": forward_with(hidden=False),
        "The biases are missing.": forward_with(biases=False),
        "The backward pass needs the inputs too: they come first.": lambda *network: forward(*network)[1:],
    },
)


def judge_softmax(result: list[np.ndarray], logits: np.ndarray) -> None:
    """Hold it against the definition with the largest logit taken off, for which nothing overflows."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    close(result[0], powers / powers.sum(axis=1, keepdims=True), "softmax")


def draw_logits(seed: int) -> np.ndarray:
    """Return logits (n, classes), some of them huge."""
    generator = np.random.default_rng(seed)
    rows, classes = generator.permutation(np.arange(2, 7))[:2]
    return generator.normal(size=(rows, classes)) * generator.choice([1.0, 10.0, 1000.0])


def divided(powers: np.ndarray, axis: int = 1) -> np.ndarray:
    """Return each over the sum along an axis."""
    shares: np.ndarray = powers / powers.sum(axis=axis, keepdims=True)
    return shares


SOFTMAX = Exercise(
    name="softmax",
    cases=strategies.integers(0, 2**16).map(draw_logits),
    run=lambda function, logits: [np.asarray(function(logits))],
    judge=judge_softmax,
    solution=lambda logits: log_sum_exp(torch.from_numpy(logits)).exp().numpy(),
    mistakes={
        "exp overflows for large logits: subtract each row's largest one first; it changes nothing else.": (
            lambda logits: divided(np.exp(logits))
        ),
        "Each row must sum to 1: the sum is along axis 1.": (
            lambda logits: divided(np.exp(logits - logits.max(axis=1, keepdims=True)), axis=0)
        ),
        "Logits can be negative: it is their exponentials that are divided by their sum.": (
            lambda logits: divided(logits - logits.max(axis=1, keepdims=True))
        ),
        "Those are the powers; divide them by their sum.": lambda logits: np.exp(
            logits - logits.max(axis=1, keepdims=True)
        ),
    },
)


def judge_cross_entropy(result: list[np.ndarray], case: tuple[np.ndarray, np.ndarray]) -> None:
    """Hold it against PyTorch's."""
    logits, labels = (torch.from_numpy(array) for array in case)
    close(result[0], torch.nn.functional.cross_entropy(logits, labels).item(), "the cross-entropy")


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return the logarithms of the probabilities."""
    return log_sum_exp(torch.from_numpy(logits)).numpy()


def draw_labelled(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and a label for each row."""
    logits = draw_logits(seed)
    return logits, np.random.default_rng(seed).integers(logits.shape[1], size=len(logits))


def of_labels(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the log-probability of each row's label."""
    chosen: np.ndarray = log_softmax(logits)[np.arange(len(labels)), labels]
    return chosen


CROSS_ENTROPY = Exercise(
    name="cross_entropy",
    cases=strategies.integers(0, 2**16).map(draw_labelled),
    run=lambda function, case: [np.asarray(function(*case))],
    judge=judge_cross_entropy,
    solution=cross_entropy,
    mistakes={
        "It is the mean over the samples, not the sum.": lambda logits, labels: -of_labels(logits, labels).sum(),
        "A loss is small where the true class is probable: the minus sign is missing.": (
            lambda logits, labels: of_labels(logits, labels).mean()
        ),
        "These are logits: they need softmax before the logarithm.": (
            lambda logits, labels: -logits[np.arange(len(labels)), labels].mean()
        ),
        "exp overflows, or log meets 0: take the largest logit m off, z - m - log Σ exp(z - m).": (
            lambda logits, labels: -np.log(divided(np.exp(logits))[np.arange(len(labels)), labels]).mean()
        ),
        "Only the true class counts: pick labels[i] in row i, do not average over all classes.": (
            lambda logits, labels: -log_softmax(logits).mean()
        ),
    },
)


def judge_backward(result: list[np.ndarray], case: Network) -> None:
    """Hold every derivative against the finite difference of the loss."""
    parameters = [array for layer in case.layers for array in layer]
    require(
        len(result) == len(parameters),
        f"{len(result)} gradients, expected {len(parameters)}: weights and biases a layer",
    )
    for number, (gradient, parameter) in enumerate(zip(result, parameters, strict=True)):
        name = f"the gradient of the {'biases' if number % 2 else 'weights'} of layer {number // 2 + 1}"
        close(gradient, finite_differences(case, number), name, tolerance=1e-5)
        require(gradient.shape == parameter.shape, f"{name} has another shape than they")


def finite_differences(case: Network, number: int) -> np.ndarray:
    """Return the central differences of the loss for one array of parameters."""

    def loss_at(place: tuple[int, ...], step: float) -> float:
        arrays = [array.copy() for layer in case.layers for array in layer]
        arrays[number][place] += step
        moved = list(zip(arrays[::2], arrays[1::2], strict=True))
        return cross_entropy(forward(moved, case.inputs, case.activation)[-1], case.labels)

    shape = case.layers[number // 2][number % 2].shape
    slopes = [(loss_at(place, STEP) - loss_at(place, -STEP)) / (2 * STEP) for place in np.ndindex(shape)]
    return np.reshape(slopes, shape)


def backward_with(
    mean: bool = True, slope: bool = True, sign: float = 1.0, twice: bool = False
) -> Callable[..., list[Layer]]:
    """Return a backward pass with a mistake."""

    def run(layers: list[Layer], outputs: list[np.ndarray], labels: np.ndarray, activation: str) -> list[Layer]:
        probabilities = np.exp(log_softmax(outputs[-1]))
        delta = sign * (probabilities - np.eye(probabilities.shape[1])[labels]) / (len(labels) if mean else 1)
        gradients: list[Layer] = []
        for number in reversed(range(len(layers))):
            incoming = outputs[number]
            gradients.append((delta.T @ incoming, delta.mean(axis=0) if twice else delta.sum(axis=0)))
            if number:
                delta = delta @ layers[number][0] * (DERIVATIVES[activation](incoming) if slope else 1)
        return gradients[::-1]

    return run


BACKWARD = Exercise(
    name="backward",
    cases=networks(),
    run=lambda function, case: [
        np.asarray(array)
        for layer in function(
            case.layers, forward(case.layers, case.inputs, case.activation), case.labels, case.activation
        )
        for array in layer
    ],
    judge=judge_backward,
    solution=backward,
    mistakes={
        "The loss is a mean over the samples, so its gradient has a factor 1/n.": backward_with(mean=False),
        "The chain rule passes through the activation too: the factor f'(z) is missing.": backward_with(slope=False),
        "It is softmax minus one-hot; the other way round climbs the loss.": backward_with(sign=-1.0),
        "1/n is in δ already: the biases' gradient is the sum of δ over the rows.": backward_with(twice=True),
        "The first layer comes first: reverse the list that the loop has made.": lambda *case: backward(*case)[::-1],
    },
)
