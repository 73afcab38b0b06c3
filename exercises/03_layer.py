"""3. A layer of neurons, before the activation (the book's page on what a network is)."""

import numpy as np


def layer(inputs: np.ndarray, weights: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """Return z (n, outputs) for inputs (n, d), weights (outputs, d) and biases (outputs,)."""
    raise NotImplementedError
