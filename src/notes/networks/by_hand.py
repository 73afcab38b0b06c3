"""A multi-layer perceptron whose gradients are worked out by hand: NumPy alone, no autograd.

Forward, layer by layer, with h₀ the inputs:        zₗ = hₗ₋₁ Wₗᵀ + bₗ,   hₗ = f(zₗ);   the last z are the logits.
Backward, from the loss to the first layer, with δₗ = ∂loss/∂zₗ:

    δ_last = (softmax(logits) - one_hot(labels)) / n       cross-entropy and softmax together
    ∂loss/∂Wₗ = δₗᵀ hₗ₋₁,   ∂loss/∂bₗ = the sum of δₗ over the rows
    δₗ₋₁ = (δₗ Wₗ) · f'(zₗ₋₁)                              the chain rule: errors flow back through the weights

`mlp` is the same network with torch, where autograd does this; the study `back_propagation` compares the two.
Rumelhart, Hinton & Williams (1986), Nature 323, 533-536; section 3 of the notes.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Layer = tuple[Array, Array]  # weights (outputs, inputs) and biases (outputs,)


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), written with tanh so that no exponential overflows."""
    half: Array = 0.5 * (1 + np.tanh(0.5 * z))
    return half


# f(z), and f'(z) written in terms of what the forward pass already has: h = f(z).
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0.0),
}
DERIVATIVES: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda h: h * (1 - h),
    "tanh": lambda h: 1 - h**2,
    "relu": lambda h: (h > 0).astype(np.float64),
}


def forward(layers: list[Layer], inputs: Array, activation: str) -> list[Array]:
    """Return inputs, the outputs of every hidden layer and the logits: all that the backward pass needs."""
    outputs = [inputs]
    for number, (weights, biases) in enumerate(layers, start=1):
        z = outputs[-1] @ weights.T + biases
        outputs.append(z if number == len(layers) else ACTIVATIONS[activation](z))
    return outputs


def cross_entropy(logits: Array, labels: npt.NDArray[np.int64]) -> float:
    """Return the mean of -log softmax(logits) at the labels; the largest logit is taken off to keep exp finite."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def backward(layers: list[Layer], outputs: list[Array], labels: npt.NDArray[np.int64], activation: str) -> list[Layer]:
    """Return the gradient of the cross-entropy for the weights and biases of every layer, first layer first.

    `outputs` is what `forward` returned; a gradient has the shape of its parameter.
    """
    logits = outputs[-1]
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    one_hot = np.eye(logits.shape[1])[labels]
    delta = (probabilities - one_hot) / len(labels)
    gradients: list[Layer] = []
    for number in reversed(range(len(layers))):
        incoming = outputs[number]
        gradients.append((delta.T @ incoming, delta.sum(axis=0)))
        if number > 0:
            weights, _ = layers[number]
            delta = (delta @ weights) * DERIVATIVES[activation](incoming)
    return gradients[::-1]
