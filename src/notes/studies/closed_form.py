"""Is a neuron without activation linear regression, and how long does it need to get there?

The neuron ŷ = x·w + b under the mean squared error has one best w and b, and there are three roads to it: gradient
descent, as the notes walk it; the normal equations XᵀX w = Xᵀy, one linear system; and scikit-learn's
LinearRegression, which factors X itself. All three should name the same line.

How long descent needs depends on the shape of the valley. Let the condition number κ be the largest over the smallest
curvature, the eigenvalues of XᵀX. The learning rate must suit the steepest direction, or descent explodes; the
flattest one then shrinks by a share of 1/κ in a step only. So the steps grow in proportion to κ. Correlated features
make κ large, and standardising each one by itself does not cure that.
"""

import time

import numpy as np
import torch
from sklearn.linear_model import LinearRegression

from notes.data.tasks import Split
from notes.intervals import mean_interval
from notes.networks.regression import Powers, ScratchRegression, fit_regression, initial_parameters
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.shared.experiment import generator_for, random_for

CLAIM = "A neuron without activation is linear regression: gradient descent ends at the closed-form solution."
NOTES = "6. Linear regression in code; 5. Regression: an optimisation problem, iterated"
RULE = (
    "A condition number is mastered if in every repetition descent comes to rest within `max_iterations`, and its "
    "coefficients and scikit-learn's lie within `agreement` of the normal equations', as a share of the largest. "
    "Holds if all are mastered, holds only for those up to the last before the first that is not, fails if the "
    "smallest is not."
)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a data set: the iterations of descent, and both distances from the normal equations."""
    rows: list[Row] = []
    for condition in settings.condition_numbers:
        for repetition in range(settings.repetitions):
            random = random_for(seed, repetition)
            features = conditioned_features(settings.rows, settings.features, condition, random)
            targets = features @ random.standard_normal(settings.features) + random.standard_normal()
            targets += settings.noise * random.standard_normal(settings.rows)

            started = time.perf_counter()
            exact = normal_equations(features, targets)
            solved = time.perf_counter()
            descended, record = descend(Split(features, targets), settings, generator_for(seed, repetition))
            seconds = time.perf_counter() - solved
            estimator = LinearRegression().fit(features, targets)
            library = np.concatenate([[estimator.intercept_], estimator.coef_])
            rows.append(
                {
                    "condition_number": condition,
                    "repetition": repetition,
                    "iterations": int(record["epoch"]),
                    "at_rest": record["train/largest_gradient"] <= settings.gradient_tolerance,
                    "descent_distance": distance(descended, exact),
                    "scikit_learn_distance": distance(library, exact),
                    "time/descent_s": seconds,
                    "time/normal_equations_s": solved - started,
                }
            )
    return rows


def conditioned_features(rows: int, features: int, condition: float, random: np.random.Generator) -> np.ndarray:
    """Return centred features X (rows, features) with the eigenvalues of XᵀX / rows spread from 1 to 1 / condition.

    X = √rows · U S Vᵀ with random rotations U and V: a singular value decomposition put together from its parts.
    """
    noise = random.standard_normal((rows, features))
    left = np.linalg.qr(noise - noise.mean(axis=0))[0]
    right = np.linalg.qr(random.standard_normal((features, features)))[0]
    spread: np.ndarray = np.sqrt(rows) * left * np.geomspace(1.0, condition**-0.5, features) @ right.T
    return spread


def normal_equations(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return intercept and weights (1 + d,) that solve XᵀX w = Xᵀy, with a column of ones for the intercept."""
    design = np.column_stack([np.ones(len(features)), features])
    solution: np.ndarray = np.linalg.solve(design.T @ design, design.T @ targets)
    return solution


def descend(data: Split, settings: Settings, generator: torch.Generator) -> tuple[np.ndarray, dict[str, float]]:
    """Return the coefficients that descent from random weights ends at, and the record of its last iteration."""
    powers = Powers(data.inputs.shape[1], 1)  # not fitted: the features stay as they are
    weight, bias = initial_parameters("randn", powers, generator)
    neuron = ScratchRegression(powers, weight, bias, settings.learning_rate)
    *_, last = fit_regression(
        neuron, data, data, max_iterations=settings.max_iterations, tolerance=settings.gradient_tolerance
    )
    return neuron.to_network().coefficients(), last


def distance(found: np.ndarray, exact: np.ndarray) -> float:
    """Return the largest distance of a coefficient, as a share of the largest coefficient."""
    return float(np.abs(found - exact).max() / np.abs(exact).max())


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE."""
    kept: list[float] = []
    for condition in sorted(settings.condition_numbers):
        worst = max(column(rows, name, condition_number=condition).max() for name in DISTANCES)
        if not (column(rows, "at_rest", condition_number=condition).all() and worst <= settings.agreement):
            break
        kept.append(condition)
    whole = len(kept) == len(settings.condition_numbers)
    text = "holds" if whole else f"holds only for condition numbers up to {kept[-1]:g}" if kept else "fails"
    effect = mean_interval(column(rows, "descent_distance"))
    means = {one: column(rows, "iterations", condition_number=one).mean() for one in sorted(settings.condition_numbers)}
    lowest, highest = min(means), max(means)
    apart = max(column(rows, name).max() for name in DISTANCES)
    finding = (
        f"Descent, normal equations and scikit-learn differ by at most {apart:.0e}, but a condition number of "
        f"{highest:g} takes descent {means[highest]:,.0f} iterations, {lowest:g} only {means[lowest]:,.0f}"
    )
    return Verdict(text, "mean distance of descent's coefficients, as a share of the largest", *effect, finding)


DISTANCES = "descent_distance", "scikit_learn_distance"
