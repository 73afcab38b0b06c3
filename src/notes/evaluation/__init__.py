"""How good a model is, how sure that is, and which of two models is better: plain arrays in, plain values out."""

from notes.evaluation.comparison import (
    choose_champion,
    coefficient_distance,
    least_squares,
    mcnemar,
    paired_bootstrap_rmse,
)
from notes.evaluation.metrics import (
    accuracy,
    calibration,
    confusion,
    per_class,
    r2,
    rmse,
)

__all__ = [
    "accuracy",
    "calibration",
    "choose_champion",
    "coefficient_distance",
    "confusion",
    "least_squares",
    "mcnemar",
    "paired_bootstrap_rmse",
    "per_class",
    "r2",
    "rmse",
]
