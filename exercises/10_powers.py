"""10. Polynomials as linear regression (the book's page on regression)."""

import numpy as np


def powers(inputs: np.ndarray, degree: int) -> np.ndarray:
    """Return the powers 1 … degree of inputs (n, d) as columns (n, d · degree): x₁ … x_d, x₁² … x_d², …

    Each column is standardised: mean 0, standard deviation 1.
    """
    raise NotImplementedError
