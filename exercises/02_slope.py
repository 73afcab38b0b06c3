"""2. The slope of an activation (the book's page on activations)."""

import numpy as np


def slope(h: np.ndarray, activation: str) -> np.ndarray:
    """Return f'(z), written in h = f(z), the activation's output; `activation` is sigmoid, tanh or relu."""
    raise NotImplementedError
