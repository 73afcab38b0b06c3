"""How good a model is, how sure that is, and which of two models is better: plain arrays in, plain values out."""

from notes.evaluation.comparison import (
    choose_champion,
    coefficient_distance,
    least_squares,
    mcnemar,
    paired_bootstrap_rmse,
)
from notes.evaluation.metrics import (
    Interval,
    accuracy,
    calibration,
    check_predictions,
    confusion,
    log_loss,
    mean_interval,
    per_class,
    r2,
    rmse,
)

__all__ = [
    "Interval",
    "accuracy",
    "calibration",
    "check_predictions",
    "choose_champion",
    "coefficient_distance",
    "confusion",
    "least_squares",
    "log_loss",
    "mcnemar",
    "mean_interval",
    "paired_bootstrap_rmse",
    "per_class",
    "r2",
    "rmse",
]
