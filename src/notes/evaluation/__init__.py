"""How good a model is, how sure that is, and which of two models is better: plain arrays in, plain values out."""

from notes.evaluation.comparison import (
    choose_champion,
    coefficient_distance,
    holm,
    least_squares,
    mcnemar,
    paired_rmse,
)
from notes.evaluation.metrics import (
    accuracy,
    calibration,
    calibration_error,
    confusion,
    mean_log_loss,
    per_class,
    r2,
    rmse,
)

__all__ = [
    "accuracy",
    "calibration",
    "calibration_error",
    "choose_champion",
    "coefficient_distance",
    "confusion",
    "holm",
    "least_squares",
    "mcnemar",
    "mean_log_loss",
    "paired_rmse",
    "per_class",
    "r2",
    "rmse",
]
