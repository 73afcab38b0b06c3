"""The report on a task: every model's numbers on a split, and every network against its counterpart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from notes.data.tasks import Split, Task
from notes.evaluation.comparison import coefficient_distance, holm, least_squares, mcnemar, paired_rmse
from notes.evaluation.metrics import accuracy, calibration, calibration_error, mean_log_loss, per_class, r2, rmse
from notes.intervals import Interval, metrics_of_interval
from notes.validation import check_predictions

Table = list[dict[str, Any]]


class Counterpart(NamedTuple):
    """The baseline that a network is compared with, and in a few words what differs between the two."""

    baseline: str
    differs: str


@dataclass(frozen=True)
class Options:
    """How sure an interval is, and how it is drawn; the names are those of `evaluate` in params.yaml.

    `equivalence_margin` is the one of the task, in the unit of its primary metric; None where it has none.
    """

    confidence: float
    bootstrap_resamples: int
    calibration_bins: int
    seed: int
    equivalence_margin: float | None = None

    def resampling(self) -> dict[str, Any]:
        """Return how a bootstrap is drawn, from its beginning: models differ by themselves, not by their resamples."""
        return {
            "confidence": self.confidence,
            "resamples": self.bootstrap_resamples,
            "generator": np.random.default_rng(self.seed),
        }


@dataclass
class Report:
    """What an evaluation found, by `<model>/<metric>`, and tables by name."""

    metrics: dict[str, float] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)


def metrics_of(report: Report, model: str) -> dict[str, float]:
    """Return the metrics of one model, without the ends of their intervals, under names that all models share."""
    return {
        name.removeprefix(f"{model}/"): value
        for name, value in report.metrics.items()
        if name.startswith(f"{model}/test/")
    }


def prediction_table(targets: np.ndarray, predictions: np.ndarray, classes: Sequence[str] = ()) -> Table:
    """Return a row per test row: the true and the predicted value.

    Where `predictions` are probabilities: the number and the name, one of `classes`, of the true and of the predicted
    class, and the probability of the latter.
    """
    if predictions.ndim == 1:
        return [{"true": true, "predicted": value} for true, value in zip(targets, predictions, strict=True)]
    decided = predictions.argmax(axis=1)
    return [
        {"true": true, "predicted": found, "confidence": float(row.max())}
        | {"true_class": classes[true], "predicted_class": classes[found]}
        for true, found, row in zip(targets, decided, predictions, strict=True)
    ]


def judge(
    task: Task,
    test: Split,
    predictions: Mapping[str, np.ndarray],
    counterparts: Mapping[str, Counterpart],
    options: Options,
    classes: Sequence[str] = (),
) -> Report:
    """Judge each model's predictions on the test split and each network against its counterpart.

    `predictions` holds values (n,) of a regression or probabilities (n, classes) of the named `classes`, by model;
    `counterparts` is by network. The p values of a table are Holm's, for there are several; a difference whose whole
    interval lies within the margin has none. Raises UserError for predictions that are not finite.
    """
    report, names = Report(), classes or [str(number) for number in range(task.classes or 0)]
    for model, predicted in predictions.items():
        check_predictions(model, predicted, len(test.targets))
        if task.kind == "regression":
            _judge_regression(report, model, test.targets, predicted, options)
        else:
            _judge_classifier(report, model, test.targets, predicted, options, names)
    pairs = {model: pair for model, pair in counterparts.items() if {model, pair.baseline} <= set(predictions)}
    table: Table = [
        {"model": model, "counterpart": baseline, "differs": differs, "rows": len(test.targets)}
        | _paired_test(task, test.targets, predictions[model], predictions[baseline], options)
        for model, (baseline, differs) in pairs.items()
    ]
    _conclude(table, options.equivalence_margin)
    report.tables["paired_tests"] = table
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
        report.metrics[f"{model}/coefficients/max_absolute_from_truth"] = from_truth["max_absolute"]
        report.metrics[f"{model}/coefficients/max_relative_from_least_squares"] = from_solution["max_relative"]
    width = max(len(values) for values in (truth, *coefficients.values()))
    columns = {"true": truth, **coefficients}
    report.tables["coefficients"] = [
        {"coefficient": index} | {name: _padded(values, width)[index] for name, values in columns.items()}
        for index in range(width)
    ]


def _judge_regression(report: Report, model: str, targets: np.ndarray, predicted: np.ndarray, options: Options) -> None:
    error = rmse(targets, predicted, **options.resampling())
    explained = r2(targets, predicted, **options.resampling())
    _add(report, model, rmse=error, r2=explained)


def _judge_classifier(
    report: Report,
    model: str,
    labels: np.ndarray,
    probabilities: np.ndarray,
    options: Options,
    names: Sequence[str],
) -> None:
    decided = probabilities.argmax(axis=1)
    share = accuracy(labels, decided, options.confidence)
    loss = mean_log_loss(labels, probabilities, **options.resampling())
    gap = calibration_error(labels, probabilities, options.calibration_bins, **options.resampling())
    _add(report, model, accuracy=share, log_loss=loss, calibration_error=gap)
    classes = per_class(labels, decided, probabilities.shape[1], options.confidence)
    bins, _ = calibration(labels, probabilities, options.calibration_bins)
    report.tables.setdefault("per_class", []).extend(
        {"model": model, "name": name} | row for name, row in zip(names, classes, strict=True)
    )
    report.tables.setdefault("calibration", []).extend({"model": model} | row for row in bins)


def _paired_test(
    task: Task, targets: np.ndarray, first: np.ndarray, second: np.ndarray, options: Options
) -> dict[str, float]:
    if task.kind == "regression":
        return paired_rmse(targets, first, second, **options.resampling())
    return mcnemar(targets, first.argmax(axis=1), second.argmax(axis=1), options.confidence)


def _conclude(table: Table, margin: float | None) -> None:
    """Add to each comparison its p value after Holm, or None below the margin, and the conclusion in words."""
    for row in table:
        reach = max(abs(row["difference_low"]), abs(row["difference_high"]))
        if margin is not None and reach < margin:
            row |= {"p_value": None, "p_holm": None, "conclusion": f"equivalent within {margin:g}"}
    tested = [row for row in table if row["p_value"] is not None]
    for row, adjusted in zip(tested, holm([row["p_value"] for row in tested]), strict=True):
        row |= {"p_holm": adjusted, "conclusion": f"p = {adjusted:.2g}"}


def _add(report: Report, model: str, **values: Interval) -> None:
    for name, found in values.items():
        report.metrics |= metrics_of_interval(model, name, found)


def _padded(coefficients: np.ndarray, length: int) -> np.ndarray:
    return np.pad(coefficients, (0, length - len(coefficients)))
