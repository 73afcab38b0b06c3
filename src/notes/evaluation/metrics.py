"""How good one model is and how sure that is: metrics with their intervals (two models: `comparison`).

Labels are integers 0 … classes - 1, shape (n,); probabilities have shape (n, classes); targets have shape (n,). Every
function raises UserError for empty input, for lengths that differ and for values that are NaN or infinite.
"""

import math
from typing import Any

import numpy as np

from notes.evaluation.resampling import RESAMPLES_AT_ONCE, bootstrap_t, log_mean
from notes.files import UserError
from notes.intervals import Interval
from notes.validation import aligned, class_probabilities, log_losses


def accuracy(labels: Any, predicted: Any, confidence: float = 0.95) -> Interval:
    """Return the share of right predictions with its Wilson score interval (Wilson 1927, J. Am. Stat. Assoc. 22)."""
    labels, predicted = aligned(labels, predicted)
    return wilson(int((labels == predicted).sum()), len(labels), confidence)


def rmse(
    targets: Any, predicted: Any, *, confidence: float = 0.95, resamples: int, generator: np.random.Generator
) -> Interval:
    """Return the root mean squared error, in the target's unit, with an interval over the rows.

    The interval is the studentised bootstrap's on the logarithm of the mean square, which is skewed.
    """
    squares = squared_errors(targets, predicted)
    value = math.sqrt(squares.mean())
    if np.ptp(squares) <= 1e-12 * squares.max():
        return Interval(value, value, value)
    of_log = bootstrap_t(log_mean, squares, confidence=confidence, resamples=resamples, generator=generator)
    return Interval(value, min(_exp(of_log.low / 2), value), max(_exp(of_log.high / 2), value))


def r2(
    targets: Any, predicted: Any, *, confidence: float = 0.95, resamples: int, generator: np.random.Generator
) -> Interval:
    """Return the coefficient of determination with an interval over the rows, by the studentised bootstrap.

    1 is exact, 0 is no better than the mean of these targets. The bootstrap is that of log(1 - R²), the logarithm of
    one mean square over another.
    """
    from sklearn.metrics import r2_score

    squares = squared_errors(targets, predicted)
    if len(squares) < 2:
        raise UserError("R² needs at least 2 rows: give the split more rows.")
    value = float(r2_score(targets, predicted))
    if not squares.any() or np.ptp(targets) == 0:
        return Interval(value, value, value)
    rows = squares, np.asarray(targets, dtype=np.float64)
    of_log = bootstrap_t(_log_ratio, *rows, confidence=confidence, resamples=resamples, generator=generator)
    return Interval(value, min(1 - _exp(of_log.high), value), max(1 - _exp(of_log.low), value))


def mean_log_loss(
    labels: Any, probabilities: Any, *, confidence: float = 0.95, resamples: int, generator: np.random.Generator
) -> Interval:
    """Return the mean log loss, in nats, with an interval over the rows, by the studentised bootstrap of its logarithm.

    The loss is `validation.log_loss`.
    """
    losses = log_losses(labels, probabilities)
    value = float(losses.mean())
    if np.ptp(losses) <= 1e-12 * losses.max():
        return Interval(value, value, value)
    of_log = bootstrap_t(log_mean, losses, confidence=confidence, resamples=resamples, generator=generator)
    return Interval(value, min(_exp(of_log.low), value), max(_exp(of_log.high), value))


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


def calibration_error(
    labels: Any,
    probabilities: Any,
    bins: int = 10,
    *,
    confidence: float = 0.95,
    resamples: int,
    generator: np.random.Generator,
) -> Interval:
    """Return the expected calibration error with an interval over the rows.

    Absolute gaps do not cancel, so that the error of resamples is too large by about as much as the estimate itself:
    the interval is the bootstrap's reflected at the estimate (Davison and Hinkley 1997, Bootstrap Methods and their
    Application, section 5.2.1). It begins at zero where labels drawn from the probabilities would give such an error.
    """
    from scipy.stats import bootstrap, monte_carlo_test

    value = calibration(labels, probabilities, bins)[1]
    labels, probabilities = class_probabilities(labels, probabilities)
    confidences = probabilities.max(axis=1)
    gaps = (probabilities.argmax(axis=1) == labels) - confidences
    position = np.digitize(confidences, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    filled = np.unique(position)

    def error(gaps: np.ndarray, position: np.ndarray = position, axis: int = -1) -> np.ndarray:
        of_bins = [np.abs(np.where(position == index, gaps, 0).sum(axis=axis)) for index in filled]
        total: np.ndarray = np.sum(of_bins, axis=0) / gaps.shape[axis]
        return total

    if len(gaps) < 2:
        return Interval(value, value, value)
    result = bootstrap(
        (gaps, position), error, paired=True, vectorized=True, n_resamples=resamples, batch=RESAMPLES_AT_ONCE,
        confidence_level=confidence, method="basic", rng=generator,
    )  # fmt: skip
    calibrated = monte_carlo_test(
        gaps, lambda size: (generator.random(size) < confidences) - confidences, error, vectorized=True,
        n_resamples=resamples, batch=RESAMPLES_AT_ONCE, alternative="greater",
    )  # fmt: skip
    low, high = (float(end) for end in result.confidence_interval)
    low = 0.0 if calibrated.pvalue > (1 - confidence) / 2 else max(low, 0.0)
    return Interval(value, min(low, value), max(high, value))


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


def _log_ratio(squares: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log(1 - R²) of rows (…, n) and its standard error by the delta method."""
    distances = (targets - targets.mean(axis=-1, keepdims=True)) ** 2
    means = squares.mean(axis=-1), distances.mean(axis=-1)
    influence = squares / means[0][..., None] - distances / means[1][..., None]
    return np.log(means[0] / means[1]), influence.std(axis=-1, ddof=1) / math.sqrt(squares.shape[-1])


def _exp(value: float) -> float:
    return math.exp(value) if value < math.log(np.finfo(float).max) else math.inf
