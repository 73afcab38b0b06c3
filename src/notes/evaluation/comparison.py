"""Which of two models is better and whether chance explains it: paired tests, coefficients, and the champion.

Shapes and errors are those of `metrics`: one row an example, UserError for empty, unequal or non-finite input.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from notes.evaluation.metrics import squared_errors, wilson
from notes.evaluation.resampling import sign_flip
from notes.files import UserError
from notes.intervals import Interval
from notes.validation import aligned, check_predictions

# A coefficient nearer to zero than this counts as this large when a relative distance is taken.
SMALLEST_COEFFICIENT = 1e-12


def mcnemar(labels: Any, first: Any, second: Any, confidence: float = 0.95) -> dict[str, float]:
    """Compare the accuracy of two models on the same rows.

    Returns only_first_right, only_second_right (rows), difference (accuracy of first minus second) with difference_low
    and difference_high, and p_value: McNemar's exact binomial test (McNemar 1947, Psychometrika 12). The interval is
    Newcombe's for paired proportions, built from Wilson's (Newcombe 1998, Statistics in Medicine 17, 2635-2650,
    method 10).
    """
    from statsmodels.stats.contingency_tables import mcnemar as exact_test

    labels, first, second = aligned(labels, first, second)
    first_right, second_right = first == labels, second == labels
    table = [
        [int((first_right & second_right).sum()), int((first_right & ~second_right).sum())],
        [int((~first_right & second_right).sum()), int((~first_right & ~second_right).sum())],
    ]
    difference = _paired_difference(table, confidence)
    return {
        "only_first_right": table[0][1],
        "only_second_right": table[1][0],
        "difference": difference.value,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "p_value": float(exact_test(table, exact=True).pvalue),
    }


def paired_rmse(
    targets: Any,
    first: Any,
    second: Any,
    *,
    confidence: float = 0.95,
    resamples: int,
    generator: np.random.Generator,
) -> dict[str, float]:
    """Compare the RMSE of two models on the same rows by exchanging the two at random, row by row (`sign_flip`).

    Returns difference (RMSE of first minus second, in the target's unit), difference_low, difference_high and a
    two-sided p_value. The difference is that of the mean squares over the sum of the two RMSE, which is taken as known.
    """
    squares = squared_errors(targets, first), squared_errors(targets, second)
    roots = [math.sqrt(square.mean()) for square in squares]
    of_squares, p_value = sign_flip(
        squares[0] - squares[1], confidence=confidence, resamples=resamples, generator=generator
    )
    scale = sum(roots) or 1.0
    return {
        "difference": of_squares.value / scale,
        "difference_low": of_squares.low / scale,
        "difference_high": of_squares.high / scale,
        "p_value": p_value,
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for being several: Holm's step-down (1979, Scandinavian Journal of Statistics 6)."""
    from statsmodels.stats.multitest import multipletests

    return [float(value) for value in multipletests(p_values, method="holm")[1]] if p_values else []


def least_squares(features: Any, targets: Any) -> np.ndarray:
    """Return the coefficients (1 + d,), intercept first, that minimise the squared error over features (n, d)."""
    (targets,) = aligned(targets)
    features = check_predictions("The table of features", features, len(targets))
    design = np.column_stack([np.ones(len(features)), features])
    coefficients: np.ndarray = np.linalg.lstsq(design, targets.astype(np.float64), rcond=None)[0]
    return coefficients


def coefficient_distance(coefficients: Any, reference: Any) -> dict[str, float]:
    """Return max_absolute and max_relative, the largest distances of any coefficient from its reference.

    A relative distance is divided by max(|reference|, 1e-12).
    """
    reference, coefficients = aligned(reference, coefficients)
    distance = np.abs(coefficients - reference)
    return {
        "max_absolute": float(distance.max()),
        "max_relative": float((distance / np.maximum(np.abs(reference), SMALLEST_COEFFICIENT)).max()),
    }


def choose_champion(
    validation: Mapping[str, Mapping[str, float]], metric: str, direction: str, candidates: Sequence[str]
) -> str:
    """Return the candidate with the best `metric`; ties go to the lower val/loss, then to the earlier candidate.

    `validation` maps a model's name to its metrics; `direction` is "maximize" or "minimize". A model without a finite
    val/loss loses its ties. Raises UserError when a candidate has no finite `metric`.
    """
    if direction not in ("maximize", "minimize"):
        raise UserError(f"The direction of {metric} is {direction!r}: it must be 'maximize' or 'minimize'.")
    if not candidates:
        raise UserError("There is no candidate for champion: name at least one model.")
    sign = -1.0 if direction == "maximize" else 1.0

    def rank(model: str) -> tuple[float, float]:
        metrics = validation.get(model, {})
        value, loss = metrics.get(metric, math.nan), metrics.get("val/loss", math.inf)
        if not math.isfinite(value):
            raise UserError(f"{model} has no finite {metric}: train it again with `dvc repro`.")
        return sign * value, loss if math.isfinite(loss) else math.inf

    return min(candidates, key=rank)


def _paired_difference(table: list[list[int]], confidence: float) -> Interval:
    (both, first_only), (second_only, neither) = table
    rows = both + first_only + second_only + neither
    first = wilson(both + first_only, rows, confidence)
    second = wilson(both + second_only, rows, confidence)
    correlation = _correlation(both, first_only, second_only, neither)

    def distance(of_first: float, of_second: float) -> float:
        return math.sqrt(of_first**2 - 2 * correlation * of_first * of_second + of_second**2)

    value = (first_only - second_only) / rows
    return Interval(
        value,
        value - distance(first.value - first.low, second.high - second.value),
        value + distance(first.high - first.value, second.value - second.low),
    )


def _correlation(both: int, first_only: int, second_only: int, neither: int) -> float:
    """Return the phi coefficient with Newcombe's continuity correction, which only ever weakens a positive one."""
    rows = both + first_only + second_only + neither
    product: float = both * neither - first_only * second_only
    if product > 0:
        product = max(product - rows / 2, 0)
    margins = (both + first_only) * (second_only + neither) * (both + second_only) * (first_only + neither)
    return product / math.sqrt(margins) if margins else 0.0
