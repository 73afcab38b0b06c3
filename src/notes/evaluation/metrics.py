"""How good one model is and how sure that is: metrics with their intervals (two models: `comparison`).

Labels are integers 0 … classes - 1, shape (n,); probabilities have shape (n, classes); targets have shape (n,). Every
function raises UserError for empty input, for lengths that differ and for values that are NaN or infinite.
"""

from typing import Any

import numpy as np

from notes.files import UserError
from notes.intervals import Interval
from notes.validation import aligned, class_probabilities

RESAMPLES_AT_ONCE = 50  # keeps a bootstrap of 10,000 rows at a few megabytes


def accuracy(labels: Any, predicted: Any, confidence: float = 0.95) -> Interval:
    """Return the share of right predictions with its Wilson score interval (Wilson 1927, J. Am. Stat. Assoc. 22)."""
    labels, predicted = aligned(labels, predicted)
    return wilson(int((labels == predicted).sum()), len(labels), confidence)


def rmse(
    targets: Any, predicted: Any, *, confidence: float = 0.95, resamples: int, generator: np.random.Generator
) -> Interval:
    """Return the root mean squared error, in the target's unit, with a BCa bootstrap interval over the rows.

    Bias-corrected and accelerated (Efron 1987, J. Am. Stat. Assoc. 82) rather than percentile, because a mean of
    squares is skewed and its percentile interval sits too low on small test sets.
    """
    from scipy.stats import bootstrap

    squares = squared_errors(targets, predicted)
    value = root_mean(squares)
    if np.ptp(squares) <= 1e-12 * squares.max():
        return Interval(float(value), float(value), float(value))
    result = bootstrap(
        (squares,), root_mean, n_resamples=resamples, batch=RESAMPLES_AT_ONCE, confidence_level=confidence,
        method="BCa", rng=generator,
    )  # fmt: skip
    return Interval(float(value), float(result.confidence_interval.low), float(result.confidence_interval.high))


def r2(targets: Any, predicted: Any) -> float:
    """Return the coefficient of determination: 1 is exact, 0 is no better than the mean of these targets."""
    from sklearn.metrics import r2_score

    targets, predicted = aligned(targets, predicted)
    if len(targets) < 2:
        raise UserError("R² needs at least 2 rows: give the split more rows.")
    return float(r2_score(targets, predicted))


def confusion(labels: Any, predicted: Any, classes: int) -> np.ndarray:
    """Return the counts, shape (classes, classes): rows are true classes, columns predicted ones."""
    from sklearn.metrics import confusion_matrix

    labels, predicted = aligned(labels, predicted)
    for values, what in ((labels, "label"), (predicted, "prediction")):
        outside = values[(values < 0) | (values >= classes)]
        if len(outside):
            raise UserError(f"The {what} {outside[0]} is not one of the {classes} classes 0 to {classes - 1}.")
    matrix: np.ndarray = confusion_matrix(labels, predicted, labels=np.arange(classes))
    return matrix


def per_class(labels: Any, predicted: Any, classes: int, confidence: float = 0.95) -> list[dict[str, float]]:
    """Return a row a class: class, support, precision, recall with its Wilson interval, f1.

    A class that is never predicted has a precision and an f1 of 0. A class absent from `labels` raises
    UserError: its recall is not defined.
    """
    from sklearn.metrics import precision_recall_fscore_support

    matrix = confusion(labels, predicted, classes)
    scores = precision_recall_fscore_support(labels, predicted, labels=np.arange(classes), zero_division=0)
    rows = []
    for name, (precision, _, f1, support) in enumerate(zip(*scores, strict=True)):
        if support == 0:
            raise UserError(f"Class {name} has no rows among the true labels: give every class at least one.")
        recall = wilson(int(matrix[name, name]), int(support), confidence)
        rows.append(
            {
                "class": name,
                "support": int(support),
                "precision": float(precision),
                "recall": recall.value,
                "recall_low": recall.low,
                "recall_high": recall.high,
                "f1": float(f1),
            }
        )
    return rows


def calibration(labels: Any, probabilities: Any, bins: int = 10) -> tuple[list[dict[str, float]], float]:
    """Return the reliability table and the expected calibration error of the most probable class.

    Rows: low, high, confidence (mean), accuracy, count, over equally wide bins (low, high]; empty bins are left out.
    The error is the mean of |accuracy - confidence| over the bins, weighted by count (Guo et al. 2017, On Calibration
    of Modern Neural Networks, section 2).
    """
    labels, probabilities = class_probabilities(labels, probabilities)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    position = np.digitize(confidence, edges[1:-1], right=True)
    rows = []
    for index in np.unique(position):
        inside = position == index
        rows.append(
            {
                "low": float(edges[index]),
                "high": float(edges[index + 1]),
                "confidence": float(confidence[inside].mean()),
                "accuracy": float(right[inside].mean()),
                "count": int(inside.sum()),
            }
        )
    error = sum(row["count"] * abs(row["accuracy"] - row["confidence"]) for row in rows) / len(labels)
    return rows, float(error)


def wilson(right: int, rows: int, confidence: float) -> Interval:
    """Return the share `right` / `rows` with its Wilson score interval."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(right, rows, alpha=1 - confidence, method="wilson")
    value = right / rows
    # Rounding can put an end of the interval past the estimate when every row, or none, is right.
    return Interval(value, min(float(low), value), max(float(high), value))


def squared_errors(targets: Any, predicted: Any) -> np.ndarray:
    """Return the squared error of every row, shape (n,), as float64."""
    targets, predicted = aligned(targets, predicted)
    squares: np.ndarray = (targets.astype(np.float64) - predicted) ** 2
    return squares


def root_mean(squares: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the root of the mean along `axis`."""
    root: np.ndarray = np.sqrt(squares.mean(axis=axis))
    return root
