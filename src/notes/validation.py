"""How good a model is on validation, which is what trainings report and champions are chosen by; and checked arrays.

Labels are integers 0 … classes - 1, shape (n,); probabilities have shape (n, classes); targets have shape (n,). Every
function raises UserError for empty input, for lengths that differ and for values that are NaN or infinite.
"""

from typing import Any

import numpy as np

from notes.data.tasks import Task
from notes.files import UserError


def validation_metrics(task: Task, targets: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """Return a model's validation metrics.

    The loss is the mean squared error of a regression, the log loss of a classification.
    """
    if task.kind == "regression":
        mean_squared = float(np.mean((predictions - targets) ** 2))
        return {"val/loss": mean_squared, "val/rmse": mean_squared**0.5}
    share = float((predictions.argmax(axis=1) == targets).mean())
    return {"val/loss": log_loss(targets, predictions), "val/accuracy": share}


def log_loss(labels: Any, probabilities: Any) -> float:
    """Return the mean negative log probability of the true class, in nats.

    Probabilities are taken as float64 and clipped to [2.2e-16, 1 - 2.2e-16] for every model alike, so that a model that
    is sure and wrong (a Dummy) pays 36 nats for that row instead of infinity.
    """
    return float(log_losses(labels, probabilities).mean())


def log_losses(labels: Any, probabilities: Any) -> np.ndarray:
    """Return the log loss of every row (n,), whose mean is `log_loss`."""
    labels, probabilities = class_probabilities(labels, probabilities)
    smallest = np.finfo(np.float64).eps
    of_the_truth = probabilities[np.arange(len(labels)), labels]
    losses: np.ndarray = -np.log(np.clip(of_the_truth, smallest, 1 - smallest))
    return losses


def check_predictions(model: str, predicted: Any, rows: int) -> np.ndarray:
    """Return the predictions of `model` as an array; raise UserError unless they are finite and as many as `rows`."""
    values = np.asarray(predicted)
    if values.ndim == 0 or len(values) != rows:
        raise UserError(f"{model} predicts shape {values.shape} for {rows} rows: evaluate it on the split it predicts.")
    broken = ~np.isfinite(values).reshape(rows, -1).all(axis=1)
    if broken.any():
        first = int(broken.argmax())
        raise UserError(f"{model} predicts NaN or infinity, first in row {first}: train it with a lower learning rate.")
    return values


def aligned(truth: Any, *predictions: Any) -> list[np.ndarray]:
    """Return the true values and the predictions as arrays of one shape; raise UserError when they are not."""
    truth = np.asarray(truth)
    if truth.size == 0:
        raise UserError("There are no rows to evaluate on: give the split at least one row.")
    if not np.isfinite(truth).all():
        raise UserError("The true values hold NaN or infinity: restore the data with `dvc repro`.")
    checked = [check_predictions("The model", predicted, len(truth)) for predicted in predictions]
    for predicted in checked:
        if predicted.shape != truth.shape:  # (n, 1) against (n,) would broadcast to (n, n)
            raise UserError(f"True values of shape {truth.shape} face predictions of {predicted.shape}: flatten both.")
    return [truth, *checked]


def class_probabilities(labels: Any, probabilities: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (n,) and probabilities (n, classes) whose rows sum to 1; raise UserError when they are not such."""
    (labels,) = aligned(labels)
    probabilities = check_predictions("The model", probabilities, len(labels)).astype(np.float64)
    totals = probabilities.sum(axis=-1, keepdims=True)
    if probabilities.ndim != 2 or probabilities.min() < 0 or np.abs(totals - 1).max() > 1e-3:
        raise UserError("Probabilities must have a column a class, none negative, and rows that sum to 1.")
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise UserError(f"A label is outside the {probabilities.shape[1]} classes that the probabilities cover.")
    return labels, probabilities / totals
