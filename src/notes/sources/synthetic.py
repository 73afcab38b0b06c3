"""Generated tables whose true answer is known: three regressions and two half moons."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from notes.files import UserError


def make_linear(
    *, rows: int, slope: float, intercept: float, noise: float, generator: np.random.Generator
) -> pd.DataFrame:
    """Return x1 (standard normal) and y = slope * x1 + intercept + Gaussian noise of standard deviation `noise`."""
    x = generator.standard_normal(rows)
    y = slope * x + intercept + noise * generator.standard_normal(rows)
    return pd.DataFrame({"x1": x, "y": y})


def make_multivariate(
    *,
    rows: int,
    weights: Sequence[float],
    intercept: float,
    noise: float,
    correlation: float,
    generator: np.random.Generator,
) -> pd.DataFrame:
    """Return x1 … xd and y = weights · x + intercept + Gaussian noise of standard deviation `noise`.

    The d features are standard normal and every pair of them has the given correlation: independent normals times the
    Cholesky factor of the correlation matrix. Raises UserError for a correlation that d features cannot all share.
    """
    width = len(weights)
    matrix = np.full((width, width), correlation)
    np.fill_diagonal(matrix, 1.0)
    try:
        factor = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise UserError(
            f"generate_synthetic: {width} features cannot all have the pairwise correlation {correlation}: "
            f"choose one above {-1 / (width - 1):.4g} and below 1 in params.yaml."
        ) from None
    features = generator.standard_normal((rows, width)) @ factor.T
    y = features @ np.asarray(weights, dtype=np.float64) + intercept + noise * generator.standard_normal(rows)
    table = pd.DataFrame(features, columns=[f"x{index + 1}" for index in range(width)])
    return table.assign(y=y)


def make_polynomial(
    *, rows: int, coefficients: Sequence[float], noise: float, generator: np.random.Generator
) -> pd.DataFrame:
    """Return x1 (uniform on [-2, 2]) and y = Σ coefficients[k] · x1**k + noise; the constant comes first."""
    x = generator.uniform(-2.0, 2.0, rows)
    y = np.polynomial.polynomial.polyval(x, np.asarray(coefficients, dtype=np.float64))
    return pd.DataFrame({"x1": x, "y": y + noise * generator.standard_normal(rows)})


def make_moons(*, rows: int, noise: float, generator: np.random.Generator) -> pd.DataFrame:
    """Return x1, x2 and the class y (0 or 1) of two interleaved half circles of radius 1.

    Class 0 is the upper half around (0, 0), class 1 the lower half around (1, 0.5), where scikit-learn's `make_moons`
    has them too; `noise` is the standard deviation added to both coordinates. The classes differ by one row at most.
    """
    y = generator.permutation(np.arange(rows) % 2)
    angle = generator.uniform(0.0, np.pi, rows)
    direction = 1 - 2 * y
    x1 = y + direction * np.cos(angle) + noise * generator.standard_normal(rows)
    x2 = 0.5 * y + direction * np.sin(angle) + noise * generator.standard_normal(rows)
    return pd.DataFrame({"x1": x1, "x2": x2, "y": y})


MAKERS: dict[str, Callable[..., pd.DataFrame]] = {
    "linear": make_linear,
    "multivariate": make_multivariate,
    "polynomial": make_polynomial,
    "moons": make_moons,
}


def true_coefficients(options: Mapping[str, Any]) -> list[float] | None:
    """Return the coefficients, constant first, of the regression that a maker's options describe; None for moons."""
    if "coefficients" in options:
        return list(options["coefficients"])
    if "weights" in options:
        return [options["intercept"], *options["weights"]]
    return [options["intercept"], options["slope"]] if "slope" in options else None
