"""7. Back-propagation (the book's page on forward and back-propagation)."""

import numpy as np

from notes.networks.by_hand import DERIVATIVES


def backward(layers: list, outputs: list[np.ndarray], labels: np.ndarray, activation: str) -> list:
    """Return the gradient of the cross-entropy for (weights, biases) of every layer, first layer first.

    `outputs` is what exercise 4 returns; DERIVATIVES[activation](h) is f'(z) in terms of h = f(z).
    """
    raise NotImplementedError
