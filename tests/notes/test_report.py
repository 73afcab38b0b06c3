"""The report on a task against scikit-learn's metrics, and which pictures it has."""

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn import metrics
from statsmodels.stats.multitest import multipletests

from notes.data.tasks import TASKS, Naming, Split
from notes.evaluation import mcnemar
from notes.evaluation.report import (
    Counterpart,
    Options,
    Report,
    judge,
    judge_coefficients,
    metrics_of,
    prediction_table,
)
from notes.figures.canvas import save
from notes.figures.report import Findings, report_figures
from notes.files import UserError
from notes.intervals import interval_of
from notes.loading import TrainedModel
from notes.sources.mnist import CLASSES
from notes.validation import validation_metrics

OPTIONS = Options(confidence=0.95, bootstrap_resamples=200, calibration_bins=5, seed=0)


def regression_test(rows=60, features=1):
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-2, 2, (rows, features))
    targets = 1 + 2 * inputs.sum(axis=1) + 0.5 * rng.standard_normal(rows)
    return Split(inputs, targets)


def classification_test(task, rows=120):
    rng = np.random.default_rng(0)
    classes = TASKS[task].classes
    width = 784 if task == "mnist" else 2
    return Split(rng.random((rows, width), dtype=np.float32), np.arange(rows) % classes)


def some_probabilities(test, classes, sharpness, seed):
    logits = np.random.default_rng(seed).standard_normal((len(test.targets), classes))
    logits[np.arange(len(logits)), test.targets] += sharpness
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("task", ["linear", "multivariate", "polynomial"])
def test_a_regressions_numbers_are_scikit_learns_inside_their_intervals(task):
    test = regression_test()
    rng = np.random.default_rng(1)
    predictions = {
        name: test.targets + spread * rng.standard_normal(60) for name, spread in (("good", 0.5), ("bad", 2))
    }
    report = judge(TASKS[task], test, predictions, {"good": Counterpart("bad", "spread")}, OPTIONS)
    for name, predicted in predictions.items():
        error, explained = (interval_of(report.metrics, name, metric) for metric in ("rmse", "r2"))
        assert error.value == pytest.approx(metrics.root_mean_squared_error(test.targets, predicted))
        assert explained.value == pytest.approx(metrics.r2_score(test.targets, predicted))
        assert error.low < error.value < error.high
        assert explained.low < explained.value < explained.high
        assert metrics_of(report, name) == {"test/rmse": error.value, "test/r2": explained.value}
    (pair,) = report.tables["paired_tests"]
    assert (pair["model"], pair["counterpart"]) == ("good", "bad")
    assert pair["difference"] == pytest.approx(report.metrics["good/test/rmse"] - report.metrics["bad/test/rmse"])
    assert pair["difference_high"] < 0
    assert pair["p_holm"] == pair["p_value"] < 0.05


@pytest.mark.parametrize("task", ["moons", "mnist"])
def test_a_classifiers_numbers_are_scikit_learns(task):
    test, classes = classification_test(task), TASKS[task].classes
    predictions = {
        name: some_probabilities(test, classes, sharp, seed)
        for seed, (name, sharp) in enumerate([("sharp", 4), ("dull", 1)])
    }
    report = judge(TASKS[task], test, predictions, {"sharp": Counterpart("dull", "sharpness")}, OPTIONS)
    decided = {name: predicted.argmax(axis=1) for name, predicted in predictions.items()}
    for name, predicted in predictions.items():
        assert report.metrics[f"{name}/test/accuracy"] == metrics.accuracy_score(test.targets, decided[name])
        assert report.metrics[f"{name}/test/log_loss"] == pytest.approx(metrics.log_loss(test.targets, predicted))
        for metric in ("log_loss", "calibration_error"):
            value, low, high = interval_of(report.metrics, name, metric)
            assert 0 <= low <= value <= high
        rows = [row for row in report.tables["per_class"] if row["model"] == name]
        assert [row["class"] for row in rows] == list(range(classes))
        recall = metrics.recall_score(test.targets, decided[name], average=None)
        np.testing.assert_allclose([row["recall"] for row in rows], recall)
        bins = [row for row in report.tables["calibration"] if row["model"] == name]
        assert sum(row["count"] for row in bins) == len(test.targets)
        gaps = sum(row["count"] * abs(row["accuracy"] - row["confidence"]) for row in bins) / len(test.targets)
        assert report.metrics[f"{name}/test/calibration_error"] == pytest.approx(gaps)
    (pair,) = report.tables["paired_tests"]
    expected = mcnemar(test.targets, decided["sharp"], decided["dull"])
    named = {"model": "sharp", "counterpart": "dull", "differs": "sharpness", "rows": len(test.targets)}
    p_value = expected["p_value"]
    assert pair == named | expected | {"p_holm": p_value, "conclusion": f"p = {p_value:.2g}"}


def test_the_validation_metrics_are_scikit_learns():
    test = regression_test()
    predicted = test.targets + np.random.default_rng(1).standard_normal(60)
    found = validation_metrics(TASKS["linear"], test.targets, predicted)
    assert found["val/loss"] == pytest.approx(metrics.mean_squared_error(test.targets, predicted))
    assert found["val/rmse"] == pytest.approx(found["val/loss"] ** 0.5)
    test = classification_test("moons")
    predicted = some_probabilities(test, 2, 1, 0)
    found = validation_metrics(TASKS["moons"], test.targets, predicted)
    assert found["val/loss"] == pytest.approx(metrics.log_loss(test.targets, predicted))
    share = metrics.accuracy_score(test.targets, predicted.argmax(axis=1))
    assert found["val/accuracy"] == share


def test_two_models_that_predict_the_same_have_a_p_value_of_1():
    test = regression_test()
    report = judge(
        TASKS["linear"],
        test,
        {"a": test.targets + 1, "b": test.targets + 1},
        {"a": Counterpart("b", "nothing")},
        OPTIONS,
    )
    assert [row["p_holm"] for row in report.tables["paired_tests"]] == [1.0]


def test_a_difference_whose_whole_interval_lies_within_the_margin_is_equivalence_and_has_no_p_value():
    test = regression_test()
    noise = np.random.default_rng(1).standard_normal((2, 60))
    predictions = {
        "rounded": test.targets + noise[0] + 1e-9 * noise[1],
        "other": test.targets + 2 * noise[1],
        "baseline": test.targets + noise[0],
    }
    pairs = {name: Counterpart("baseline", "…") for name in ("rounded", "other")}
    options = dataclasses.replace(OPTIONS, equivalence_margin=0.01)
    report = judge(TASKS["linear"], test, predictions, pairs, options)
    rounded, other = report.tables["paired_tests"]
    assert (rounded["p_value"], rounded["p_holm"], rounded["conclusion"]) == (None, None, "equivalent within 0.01")
    assert other["conclusion"].startswith("p = ")
    wide = judge(TASKS["linear"], test, predictions, pairs, dataclasses.replace(OPTIONS, equivalence_margin=100.0))
    assert {row["conclusion"] for row in wide.tables["paired_tests"]} == {"equivalent within 100"}


def test_the_p_values_of_a_table_are_holms():
    test = classification_test("moons")
    predictions = {name: some_probabilities(test, 2, sharpness, seed) for seed, (name, sharpness) in enumerate(
        {"sharp": 3, "middle": 1.5, "baseline": 0.5}.items())}  # fmt: skip
    pairs = {name: Counterpart("baseline", "sharpness") for name in ("sharp", "middle")}
    table = judge(TASKS["moons"], test, predictions, pairs, OPTIONS).tables["paired_tests"]
    expected = multipletests([row["p_value"] for row in table], method="holm")[1]
    assert [row["p_holm"] for row in table] == pytest.approx(list(expected))
    assert max(row["p_holm"] for row in table) > max(row["p_value"] for row in table) / 2


@pytest.mark.parametrize("pairs", [{}, {"a": "absent"}, {"absent": "a"}, {"other": "another"}])
def test_counterparts_that_are_not_there_are_left_out(pairs):
    test, counterparts = regression_test(), {name: Counterpart(baseline, "…") for name, baseline in pairs.items()}
    report = judge(TASKS["linear"], test, {"a": test.targets + 1.0}, counterparts, OPTIONS)
    assert report.tables["paired_tests"] == []
    assert not [name for name in report.metrics if "counterpart" in name]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predictions_that_are_not_finite_are_named_with_model_and_row(value):
    test = regression_test()
    predicted = test.targets.copy()
    predicted[17] = value
    with pytest.raises(UserError, match="linear_scratch predicts NaN or infinity, first in row 17"):
        judge(TASKS["linear"], test, {"fine": test.targets + 1, "linear_scratch": predicted}, {}, OPTIONS)
    moons = classification_test("moons")
    probabilities = some_probabilities(moons, 2, 1, 0)
    probabilities[3, 1] = value
    with pytest.raises(UserError, match="moons_mlp predicts NaN or infinity, first in row 3"):
        judge(TASKS["moons"], moons, {"moons_mlp": probabilities}, {}, OPTIONS)


def test_predictions_for_another_number_of_rows_are_named():
    test = regression_test()
    with pytest.raises(UserError, match=r"short predicts shape \(59,\) for 60 rows"):
        judge(TASKS["linear"], test, {"short": test.targets[1:]}, {}, OPTIONS)


def fit_polynomial(train, degree):
    return np.polynomial.polynomial.polyfit(train.inputs[:, 0], train.targets, degree)


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_coefficients_of_any_degree_are_compared_with_truth_and_with_least_squares_of_their_own_degree(degree):
    train, truth = regression_test(), np.array([1.0, 2.0, 0.0, -0.5])
    found = fit_polynomial(train, degree)
    report = Report()
    judge_coefficients(report, train, {"model": found, "shifted": found + 0.25}, truth)
    width = max(degree + 1, 4)
    padded, true = np.zeros(width), np.zeros(width)
    padded[: degree + 1], true[:4] = found, truth
    assert report.metrics["model/coefficients/max_absolute_from_truth"] == pytest.approx(np.abs(padded - true).max())
    assert report.metrics["model/coefficients/max_relative_from_least_squares"] < 1e-8
    relative = report.metrics["shifted/coefficients/max_relative_from_least_squares"]
    assert relative == pytest.approx(np.max(0.25 / np.abs(found)))
    table = report.tables["coefficients"]
    assert [row["coefficient"] for row in table] == list(range(width))
    np.testing.assert_allclose([row["true"] for row in table], true)
    np.testing.assert_allclose([row["model"] for row in table], padded)


def test_several_features_have_their_powers_one_after_the_other():
    train = regression_test(features=3)
    design = np.hstack([np.ones((60, 1)), train.inputs, train.inputs**2])
    found = np.linalg.lstsq(design, train.targets, rcond=None)[0]
    report = Report()
    judge_coefficients(report, train, {"model": found}, np.array([1.0, 2.0, 2.0, 2.0]))
    assert report.metrics["model/coefficients/max_relative_from_least_squares"] < 1e-8
    assert len(report.tables["coefficients"]) == 7


def test_without_any_coefficients_the_table_holds_the_truth_alone():
    report = Report()
    judge_coefficients(report, regression_test(), {}, np.array([1.0, 2.0]))
    assert report.tables["coefficients"] == [{"coefficient": 0, "true": 1.0}, {"coefficient": 1, "true": 2.0}]
    assert report.metrics == {}


def line(name, coefficients, framework="pytorch"):
    def predict(inputs):
        degree = (len(coefficients) - 1) // inputs.shape[1]
        powers = np.hstack([inputs**power for power in range(1, degree + 1)])
        return coefficients[0] + powers @ coefficients[1:]

    return TrainedModel(name, framework, predict, coefficients)


def pictures(task, test, models, champion, truth=None, naming=None):
    naming = naming or Naming(task, [str(number) for number in range(TASKS[task].classes or 0)])
    predictions = {name: model.predict(test.inputs) for name, model in models.items()}
    report = judge(TASKS[task], test, predictions, {}, OPTIONS)
    rows = prediction_table(test.targets, predictions[champion], naming.classes)
    found = Findings(naming, champion, report.metrics, rows, report.tables.get("calibration", []), truth)
    return dict(report_figures(TASKS[task], test.inputs, models, found))


def classifier(name, test, sharpness, framework):
    classes = int(test.targets.max()) + 1

    def predict(inputs):
        # On the test's own inputs the probabilities know the labels; anywhere else they follow the first feature.
        if inputs is test.inputs:
            return some_probabilities(test, classes, sharpness, 0)
        positive = 1 / (1 + np.exp(-inputs[:, 0]))
        return np.column_stack([1 - positive, positive])

    return TrainedModel(name, framework, predict, None)


@pytest.mark.parametrize(
    ("task", "features", "expected"),
    [
        ("linear", 1, {"coefficients.png", "fitted_lines.png"}),
        ("polynomial", 1, {"coefficients.png", "fitted_lines.png"}),
        ("multivariate", 3, {"coefficients.png"}),
    ],
)
def test_the_pictures_of_a_regression(task, features, expected, tmp_path):
    test = regression_test(features=features)
    truth = np.array([1.0, *[2.0] * features])
    models = {
        "scratch": line("scratch", truth + 0.01),
        "dummy": TrainedModel("dummy", "scikit-learn", lambda inputs: np.zeros(len(inputs)), None),
    }
    figures = pictures(task, test, models, "scratch", truth)
    assert figures.keys() == {"model_comparison.png", "predicted_against_true.png", *expected}
    for name, figure in figures.items():
        assert isinstance(figure, Figure)
        save(figure, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000


def test_coefficients_of_another_degree_than_the_truth_have_no_picture():
    test = regression_test()
    models = {"cubic": line("cubic", np.array([1.0, 2.0, 0.1, 0.1]))}
    figures = pictures("linear", test, models, "cubic", np.array([1.0, 2.0]))
    assert figures.keys() == {"model_comparison.png", "predicted_against_true.png", "fitted_lines.png"}


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("moons", {"decision_boundary_network.png"}),
        ("mnist", {"misclassified_images.png"}),
    ],
)
def test_the_pictures_of_a_classification(task, expected, tmp_path):
    test = classification_test(task)
    models = {
        "network": classifier("network", test, 2, "pytorch"),
        f"{task}_dummy": classifier(f"{task}_dummy", test, 0, "scikit-learn"),
    }
    figures = pictures(task, test, models, "network")
    assert figures.keys() == {"model_comparison.png", "confusion_matrix.png", "calibration.png", *expected}
    for name, figure in figures.items():
        save(figure, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    labels = {text.get_text() for text in figures["calibration.png"].findobj() if hasattr(text, "get_text")}
    assert any("network" in label for label in labels)
    assert not any("dummy" in label for label in labels)


def test_fashion_mnist_is_called_so_and_its_classes_by_their_names_in_every_table_and_picture():
    test, naming = classification_test("mnist"), Naming("Fashion-MNIST", CLASSES["fashion_mnist"])
    network = classifier("network", test, 2, "pytorch")
    predictions = {"network": network.predict(test.inputs)}
    report = judge(TASKS["mnist"], test, predictions, {}, OPTIONS, naming.classes)
    assert [row["name"] for row in report.tables["per_class"]] == naming.classes
    table = prediction_table(test.targets, predictions["network"], naming.classes)
    assert all(row["true_class"] == naming.classes[row["true"]] for row in table)
    assert all(row["predicted_class"] == naming.classes[row["predicted"]] for row in table)
    figures = pictures("mnist", test, {"network": network}, "network", naming=naming)
    for figure in figures.values():
        assert figure.get_suptitle().startswith("Fashion-MNIST: ")
    labels = figures["confusion_matrix.png"].axes[0].get_xticklabels()
    assert [label.get_text() for label in labels] == naming.classes
    mistakes = [axes.get_title().splitlines()[0].split(" → ") for axes in figures["misclassified_images.png"].axes]
    assert mistakes
    assert {name for pair in mistakes for name in pair if name} <= set(naming.classes)
