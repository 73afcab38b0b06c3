"""1 to 3: the sigmoid, the slope of an activation, a layer of neurons."""

import numpy as np
from hypothesis import strategies
from hypothesis.extra import numpy as arrays

from checks import Exercise, close, require
from notes.networks.by_hand import ACTIVATIONS, DERIVATIVES, forward, sigmoid

STEP = 1e-6


def values(largest: float) -> "strategies.SearchStrategy[np.ndarray]":
    """Return vectors of numbers between minus and plus `largest`."""
    return arrays.arrays(float, strategies.integers(1, 8), elements=strategies.floats(-largest, largest))


def judge_sigmoid(result: list[np.ndarray], z: np.ndarray) -> None:
    """Hold it against the definition where exp is harmless, and against σ(z) + σ(-z) = 1 everywhere."""
    at_z, at_minus_z = result
    near = np.abs(z) < 30
    close(at_z[near], 1 / (1 + np.exp(-z[near])), "sigmoid(z)")
    close(at_z + at_minus_z, np.ones_like(z), "sigmoid(z) + sigmoid(-z)")
    require(np.all((at_z >= 0) & (at_z <= 1)), "sigmoid(z) leaves the interval from 0 to 1")


SIGMOID = Exercise(
    name="sigmoid",
    cases=values(1000.0),
    run=lambda function, z: [np.asarray(function(z)), np.asarray(function(-z))],
    judge=judge_sigmoid,
    solution=sigmoid,
    mistakes={
        "exp(-z) overflows far below zero: the same number is half of 1 + tanh(z / 2), which never does.": (
            lambda z: 1 / (1 + np.exp(-z))
        ),
        "The exponent's sign is missing: at large z a sigmoid is near 1.": lambda z: 0.5 * (1 - np.tanh(0.5 * z)),
        "That is tanh, from -1 to 1; a sigmoid goes from 0 to 1.": np.tanh,
        "tanh(z) is twice as steep as it should be: it takes z / 2.": lambda z: 0.5 * (1 + np.tanh(z)),
    },
)


def judge_slope(result: list[np.ndarray], case: tuple[str, np.ndarray]) -> None:
    """Hold it against the finite difference of the activation."""
    activation, z = case
    f = ACTIVATIONS[activation]
    differences = (f(z + STEP) - f(z - STEP)) / (2 * STEP)
    close(result[0], differences, f"the slope of {activation}", tolerance=1e-6)


def away_from_the_kink(case: tuple[str, np.ndarray]) -> bool:
    """Whether no input lies so near zero that a finite difference would straddle ReLU's kink."""
    return bool(np.all(np.abs(case[1]) > 10 * STEP))


SLOPE = Exercise(
    name="slope",
    cases=strategies.tuples(strategies.sampled_from(sorted(ACTIVATIONS)), values(5.0)).filter(away_from_the_kink),
    run=lambda function, case: [np.asarray(function(ACTIVATIONS[case[0]](case[1]), case[0]))],
    judge=judge_slope,
    solution=lambda h, activation: DERIVATIVES[activation](h),
    mistakes={
        "h is the activation's output already: do not apply the activation again.": (
            lambda h, activation: DERIVATIVES[activation](ACTIVATIONS[activation](h))
        ),
        "tanh' = 1 - h²: the square is missing.": (
            lambda h, activation: 1 - h if activation == "tanh" else DERIVATIVES[activation](h)
        ),
        "ReLU's slope is 1 above zero, not h.": (
            lambda h, activation: h if activation == "relu" else DERIVATIVES[activation](h)
        ),
        "sigmoid' = h (1 - h): the factor h is missing.": (
            lambda h, activation: 1 - h if activation == "sigmoid" else DERIVATIVES[activation](h)
        ),
    },
)


def layers() -> "strategies.SearchStrategy[tuple[np.ndarray, np.ndarray, np.ndarray]]":
    """Return inputs (n, d), weights (outputs, d) and biases (outputs,), with n, d and outputs all different."""

    def draw(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        generator = np.random.default_rng(seed)
        rows, inputs, outputs = generator.permutation(np.arange(2, 7))[:3]
        return (
            generator.normal(size=(rows, inputs)),
            generator.normal(size=(outputs, inputs)),
            generator.normal(size=outputs),
        )

    return strategies.integers(0, 2**16).map(draw)


def judge_layer(result: list[np.ndarray], case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """Add everything up one by one."""
    inputs, weights, biases = case
    sums = [
        [sum(x * w for x, w in zip(row, unit, strict=True)) + b for unit, b in zip(weights, biases, strict=True)]
        for row in inputs
    ]
    close(result[0], sums, "the layer's output")


LAYER = Exercise(
    name="layer",
    cases=layers(),
    run=lambda function, case: [np.asarray(function(*case))],
    judge=judge_layer,
    solution=lambda inputs, weights, biases: forward([(weights, biases)], inputs, "relu")[-1],
    mistakes={
        "weights has a row a neuron: its transpose is what inputs are multiplied with.": (
            lambda inputs, weights, biases: inputs @ weights + biases
        ),
        "The biases are missing.": lambda inputs, weights, biases: inputs @ weights.T,
        "A row a sample, a column a neuron: the result is transposed.": (
            lambda inputs, weights, biases: (inputs @ weights.T + biases).T
        ),
        "The bias is added to the sum, once a neuron, not to each product.": (
            lambda inputs, weights, biases: inputs @ weights.T + weights.shape[1] * biases
        ),
    },
)
