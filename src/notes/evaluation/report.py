"""The report on a task: every model's numbers on a split, and every network against its counterpart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from notes.data.tasks import Split, Task
from notes.evaluation.comparison import coefficient_distance, least_squares, mcnemar, paired_bootstrap_rmse
from notes.evaluation.metrics import accuracy, calibration, per_class, r2, rmse
from notes.validation import check_predictions, log_loss

Table = list[dict[str, Any]]


@dataclass(frozen=True)
class Options:
    """How sure an interval is, and how it is drawn; the names are those of `evaluate` in params.yaml."""

    confidence: float
    bootstrap_resamples: int
    calibration_bins: int
    seed: int


@dataclass
class Report:
    """What an evaluation found, by `<model>/<metric>`: test metrics, distances of coefficients; and tables by name."""

    metrics: dict[str, float] = field(default_factory=dict)
    distances: dict[str, float] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)


def metrics_of(report: Report, model: str) -> dict[str, float]:
    """Return the metrics of one model under the names that all tasks share: test/primary, test/rmse, …"""
    return {
        name.removeprefix(f"{model}/"): value for name, value in report.metrics.items() if name.startswith(f"{model}/")
    }


def prediction_table(targets: np.ndarray, predictions: np.ndarray) -> Table:
    """Return a row per test row: the true and the predicted value.

    Where `predictions` are probabilities: the true and the predicted class, and the probability of the latter.
    """
    if predictions.ndim == 1:
        return [{"true": true, "predicted": value} for true, value in zip(targets, predictions, strict=True)]
    return [
        {"true": true, "predicted": row.argmax(), "confidence": float(row.max())}
        for true, row in zip(targets, predictions, strict=True)
    ]


def judge(
    task: Task, test: Split, predictions: Mapping[str, np.ndarray], counterparts: Mapping[str, str], options: Options
) -> Report:
    """Judge each model's predictions on the test split and each network against its counterpart.

    `predictions` holds values (n,) of a regression or class probabilities (n, classes), by model; `counterparts` names
    the baseline of a network. Raises UserError for predictions that are not finite.
    """
    report = Report()
    for model, predicted in predictions.items():
        check_predictions(model, predicted, len(test.targets))
        judge_model = _judge_regression if task.kind == "regression" else _judge_classifier
        judge_model(report, model, test.targets, predicted, options)
    pairs = {model: baseline for model, baseline in counterparts.items() if {model, baseline} <= set(predictions)}
    report.tables["paired_tests"] = [
        {"model": model, "counterpart": baseline}
        | _paired_test(task, test.targets, predictions[model], predictions[baseline], options)
        for model, baseline in pairs.items()
    ]
    for row in report.tables["paired_tests"]:
        report.metrics[f"{row['model']}/test/p_value_against_counterpart"] = row["p_value"]
    return report


def judge_coefficients(report: Report, train: Split, coefficients: Mapping[str, np.ndarray], truth: np.ndarray) -> None:
    """Add the distance of each model's coefficients from the true ones and from the least-squares solution.

    Coefficients come intercept first, then the powers 1 … degree of each feature, (1 + d · degree,). A model of
    another degree than the truth is compared with zeros in place of what one of them lacks.
    """
    for model, found in coefficients.items():
        degree = (len(found) - 1) // train.inputs.shape[1]
        powers = np.hstack([train.inputs**power for power in range(1, degree + 1)])
        length = max(len(found), len(truth))
        from_truth = coefficient_distance(_padded(found, length), _padded(truth, length))
        from_solution = coefficient_distance(found, least_squares(powers, train.targets))
        report.distances[f"{model}/coefficients/max_absolute_from_truth"] = from_truth["max_absolute"]
        report.distances[f"{model}/coefficients/max_relative_from_least_squares"] = from_solution["max_relative"]
    width = max(len(values) for values in (truth, *coefficients.values()))
    columns = {"true": truth, **coefficients}
    report.tables["coefficients"] = [
        {"coefficient": index} | {name: _padded(values, width)[index] for name, values in columns.items()}
        for index in range(width)
    ]


def _judge_regression(report: Report, model: str, targets: np.ndarray, predicted: np.ndarray, options: Options) -> None:
    # The same resamples for every model: their intervals then differ by the models alone.
    error = rmse(
        targets,
        predicted,
        confidence=options.confidence,
        resamples=options.bootstrap_resamples,
        generator=np.random.default_rng(options.seed),
    )
    _add(report, model, rmse=error.value, rmse_low=error.low, rmse_high=error.high, r2=r2(targets, predicted))
    _add(report, model, primary=error.value, primary_low=error.low, primary_high=error.high)


def _judge_classifier(
    report: Report, model: str, labels: np.ndarray, probabilities: np.ndarray, options: Options
) -> None:
    decided = probabilities.argmax(axis=1)
    share = accuracy(labels, decided, options.confidence)
    rows, error = calibration(labels, probabilities, options.calibration_bins)
    _add(report, model, accuracy=share.value, accuracy_low=share.low, accuracy_high=share.high)
    _add(report, model, log_loss=log_loss(labels, probabilities), calibration_error=error)
    _add(report, model, primary=share.value, primary_low=share.low, primary_high=share.high)
    classes = per_class(labels, decided, probabilities.shape[1], options.confidence)
    report.tables.setdefault("per_class", []).extend({"model": model} | row for row in classes)
    report.tables.setdefault("calibration", []).extend({"model": model} | row for row in rows)


def _paired_test(
    task: Task, targets: np.ndarray, first: np.ndarray, second: np.ndarray, options: Options
) -> dict[str, float]:
    if task.kind == "regression":
        return paired_bootstrap_rmse(
            targets,
            first,
            second,
            confidence=options.confidence,
            resamples=options.bootstrap_resamples,
            generator=np.random.default_rng(options.seed),
        )
    return mcnemar(targets, first.argmax(axis=1), second.argmax(axis=1), options.confidence)


def _add(report: Report, model: str, **values: float) -> None:
    report.metrics |= {f"{model}/test/{name}": float(value) for name, value in values.items()}


def _padded(coefficients: np.ndarray, length: int) -> np.ndarray:
    return np.pad(coefficients, (0, length - len(coefficients)))
