"""9. Gradient descent with PyTorch (the book's page on linear regression in code)."""

from torch import Tensor

from notes.networks.regression import ScratchRegression


def descend(model: ScratchRegression, inputs: Tensor, targets: Tensor, iterations: int) -> None:
    """Change the model's parameters by `iterations` steps down the gradient of its loss.

    model(inputs) predicts; the model has loss(predictions, targets), zero_grad() and step().
    """
    raise NotImplementedError
