"""Which pictures the report on a task has."""

from collections.abc import Iterator, Mapping
from itertools import groupby

import numpy as np
from matplotlib.figure import Figure

from notes.data.tasks import Split, Task
from notes.evaluation import confusion
from notes.evaluation.report import Report
from notes.figures.classification import calibration_curve, confusion_matrix, decision_boundary, misclassified_digits
from notes.figures.comparison import model_comparison
from notes.figures.regression import coefficients, fitted_lines, predicted_against_true
from notes.loading import TrainedModel


def report_figures(
    task: Task,
    test: Split,
    models: Mapping[str, TrainedModel],
    predictions: Mapping[str, np.ndarray],
    report: Report,
    champion: str,
    truth: np.ndarray | None,
) -> Iterator[tuple[str, Figure]]:
    """Yield (file name, figure) of every picture: the comparison of all models, then what shows the task best."""
    yield "model_comparison.png", _comparison(task, models, report, champion)
    if task.kind == "regression":
        assert truth is not None
        yield from _regression(test, models, predictions, report, champion, truth)
    else:
        yield from _classification(task, test, models, predictions, report, champion)


def _comparison(task: Task, models: Mapping[str, TrainedModel], report: Report, champion: str) -> Figure:
    def interval(name: str) -> tuple[float, float, float]:
        metrics = report.metrics
        primary = f"{name}/test/primary"
        return metrics[primary], metrics[f"{primary}_low"], metrics[f"{primary}_high"]

    rows = [(name, *interval(name), model.framework) for name, model in models.items()]
    value, low, high = interval(champion)
    title = f"{task.name}: {champion}, the champion on validation, reaches {value:.4g} ({low:.4g} to {high:.4g})"
    return model_comparison(rows, f"test {task.primary_metric}", title, task.direction)


def _regression(
    test: Split,
    models: Mapping[str, TrainedModel],
    predictions: Mapping[str, np.ndarray],
    report: Report,
    champion: str,
    truth: np.ndarray,
) -> Iterator[tuple[str, Figure]]:
    recovered = {name: model.coefficients for name, model in models.items() if model.coefficients is not None}
    error = report.metrics[f"{champion}/test/rmse"]
    title = f"{champion} predicts unseen rows with an RMSE of {error:.3g}"
    yield "predicted_against_true.png", predicted_against_true(test.targets, {champion: predictions[champion]}, title)
    if test.inputs.shape[1] == 1:
        grid = np.linspace(test.inputs.min(), test.inputs.max(), 200)
        lines = {name: (grid, models[name].predict(grid[:, None])) for name in recovered}
        curve = grid, np.polynomial.polynomial.polyval(grid, truth)
        drawn = np.array([line for _, line in lines.values()])
        title = f"The fitted lines lie within {np.ptp(drawn, axis=0).max():.1e} of each other"
        yield "fitted_lines.png", fitted_lines(test.inputs[:, 0], test.targets, lines, curve, title)
    found = {name: values for name, values in recovered.items() if len(values) == len(truth)}
    if found:
        farthest = max(float(np.abs(values - truth).max()) for values in found.values())
        title = f"Recovered coefficients are within {farthest:.2g} of the true ones"
        names = ["intercept", *(f"w{index}" for index in range(1, len(truth)))]
        yield "coefficients.png", coefficients(names, found, truth, title)


def _classification(
    task: Task,
    test: Split,
    models: Mapping[str, TrainedModel],
    predictions: Mapping[str, np.ndarray],
    report: Report,
    champion: str,
) -> Iterator[tuple[str, Figure]]:
    probabilities = predictions[champion]
    decided = probabilities.argmax(axis=1)
    wrong = int((decided != test.targets).sum())
    matrix = confusion(test.targets, decided, probabilities.shape[1])
    names = [str(name) for name in range(probabilities.shape[1])]
    title = f"{champion} confuses {wrong} of {len(decided):,} test examples"
    yield "confusion_matrix.png", confusion_matrix(matrix, names, title)
    rows = {name: list(group) for name, group in groupby(report.tables["calibration"], lambda row: row["model"])}
    shown = {name: rows[name] for name in rows if "dummy" not in name}
    yield "calibration.png", calibration_curve(shown, f"{task.name}: are the probabilities to be trusted?")
    if task.name == "mnist":
        images = test.inputs.reshape(-1, 28, 28)
        title = f"The mistakes of which {champion} was most sure"
        yield (
            "misclassified_digits.png",
            misclassified_digits(images, test.targets, decided, probabilities.max(axis=1), title),
        )
        return
    for name, model in models.items():
        if model.framework == "pytorch":
            value = report.metrics[f"{name}/test/accuracy"]
            yield (
                f"decision_boundary_{name}.png",
                decision_boundary(
                    lambda points, model=model: model.predict(points.astype(np.float32))[:, 1],  # type: ignore[misc]
                    test.inputs,
                    test.targets,
                    f"{name} gets {value:.1%} of the test points right",
                ),
            )
