"""8. The gradient of a linear regression (the book's page on linear regression in code)."""

import numpy as np


def gradient(inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, bias: float) -> tuple[np.ndarray, float]:
    """Return the derivatives (d,) and one number of the mean squared error by the weights and by the bias.

    inputs (n, d), targets (n,), weights (d,).
    """
    raise NotImplementedError
