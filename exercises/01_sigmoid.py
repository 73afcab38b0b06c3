"""1. The sigmoid (the book's page on activations)."""

import numpy as np


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-z)) for each number of z, without a warning for z = -1000 or 1000."""
    raise NotImplementedError
