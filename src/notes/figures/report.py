"""Which pictures the report on a task has, drawn from what `evaluate` wrote."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from notes.data.tasks import Naming, Task
from notes.figures.classification import calibration_curve, confusion_matrix, decision_boundary, misclassified_images
from notes.figures.comparison import model_comparison
from notes.figures.regression import coefficients, fitted_lines, predicted_against_true
from notes.intervals import interval_of
from notes.loading import TrainedModel

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Findings:
    """What `evaluate` found on a data set: the champion, test metrics by `<model>/test/<metric>`, and tables.

    `predictions` are the champion's, a row a test row: true, predicted and, of a class, confidence. `calibration` has
    rows of all models. `truth` holds the true coefficients of a regression, where they are
    known.
    """

    naming: Naming
    champion: str
    metrics: Mapping[str, float]
    predictions: Rows
    calibration: Rows = ()
    truth: np.ndarray | None = None

    def column(self, name: str) -> np.ndarray:
        """Return one column of the champion's predictions (n,)."""
        return np.array([row[name] for row in self.predictions])


def report_figures(
    task: Task, inputs: np.ndarray, models: Mapping[str, TrainedModel], found: Findings
) -> Iterator[tuple[str, Figure]]:
    """Yield (file name, figure) of every picture: the comparison of all models, then what shows the task best.

    `inputs` (n, d) are those of the test rows.
    """
    yield "model_comparison.png", _comparison(task, models, found)
    if task.kind == "regression":
        yield from _regression(inputs, models, found)
    else:
        yield from _classification(task, inputs, models, found)


def _comparison(task: Task, models: Mapping[str, TrainedModel], found: Findings) -> Figure:
    metric = task.primary_metric
    rows = [(name, *interval_of(found.metrics, name, metric), model.framework) for name, model in models.items()]
    value, low, high = interval_of(found.metrics, found.champion, metric)
    reached = f"{value:.4g} ({low:.4g} to {high:.4g})"
    title = f"{found.naming.title}: {found.champion}, the champion on validation, reaches {reached}"
    return model_comparison(rows, f"test {metric}", title, task.direction)


def _regression(
    inputs: np.ndarray, models: Mapping[str, TrainedModel], found: Findings
) -> Iterator[tuple[str, Figure]]:
    true, champion = found.column("true"), found.champion
    recovered = {name: model.coefficients for name, model in models.items() if model.coefficients is not None}
    title = f"{champion} predicts unseen rows with an RMSE of {found.metrics[f'{champion}/test/rmse']:.3g}"
    yield "predicted_against_true.png", predicted_against_true(true, {champion: found.column("predicted")}, title)
    if found.truth is None:
        return
    if inputs.shape[1] == 1:
        grid = np.linspace(inputs.min(), inputs.max(), 200)
        lines = {name: (grid, models[name].predict(grid[:, None])) for name in recovered}
        curve = grid, np.polynomial.polynomial.polyval(grid, found.truth)
        drawn = np.array([line for _, line in lines.values()])
        title = f"The fitted lines lie within {np.ptp(drawn, axis=0).max():.1e} of each other"
        yield "fitted_lines.png", fitted_lines(inputs[:, 0], true, lines, curve, title)
    comparable = {name: values for name, values in recovered.items() if len(values) == len(found.truth)}
    if comparable:
        farthest = max(float(np.abs(values - found.truth).max()) for values in comparable.values())
        title = f"Recovered coefficients are within {farthest:.2g} of the true ones"
        names = ["intercept", *(f"w{index}" for index in range(1, len(found.truth)))]
        yield "coefficients.png", coefficients(names, comparable, found.truth, title)


def _classification(
    task: Task, inputs: np.ndarray, models: Mapping[str, TrainedModel], found: Findings
) -> Iterator[tuple[str, Figure]]:
    assert task.classes is not None
    true, decided, champion = found.column("true"), found.column("predicted"), found.champion
    matrix = np.zeros((task.classes, task.classes), dtype=np.int64)
    np.add.at(matrix, (true, decided), 1)
    names, dataset = found.naming.classes, found.naming.title
    title = f"{dataset}: {champion} confuses {int((decided != true).sum())} of {len(decided):,} test examples"
    yield "confusion_matrix.png", confusion_matrix(matrix, names, title)
    rows = {name: list(group) for name, group in groupby(found.calibration, lambda row: row["model"])}
    shown = {name: rows[name] for name in rows if "dummy" not in name}
    yield "calibration.png", calibration_curve(shown, f"{dataset}: are the probabilities to be trusted?")
    if task.name == "mnist":
        images = inputs.reshape(-1, 28, 28)
        title = f"{dataset}: the mistakes of which {champion} was most sure"
        figure = misclassified_images(images, true, decided, found.column("confidence"), names, title)
        yield "misclassified_images.png", figure
    if (task.classes, inputs.shape[1]) != (2, 2):
        return
    for name, model in models.items():
        if model.framework == "pytorch":
            value = found.metrics[f"{name}/test/accuracy"]
            yield (
                f"decision_boundary_{name}.png",
                decision_boundary(
                    lambda points, model=model: model.predict(points.astype(np.float32))[:, 1],  # type: ignore[misc]
                    inputs,
                    true,
                    f"{name} gets {value:.1%} of the test points right",
                ),
            )
