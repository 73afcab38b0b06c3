"""4. The forward pass (the book's page on what a network is)."""

import numpy as np

from notes.networks.by_hand import ACTIVATIONS


def forward(layers: list, inputs: np.ndarray, activation: str) -> list[np.ndarray]:
    """Return the inputs (n, d), the output of every hidden layer, and the logits.

    `layers` holds (weights, biases), (outputs, inputs) and (outputs,); ACTIVATIONS[activation] is the activation.
    """
    raise NotImplementedError
