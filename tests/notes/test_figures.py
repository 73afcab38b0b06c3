"""Pictures: the data is in the artists, texts keep clear of each other, and equal input gives equal bytes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from notes.figures.canvas import save
from notes.figures.classification import calibration_curve, confusion_matrix, decision_boundary, misclassified_images
from notes.figures.comparison import model_comparison
from notes.figures.regression import coefficients, fitted_lines, predicted_against_true
from notes.files import UserError

TITLE = "A title of a whole sentence that says what the reader should see in this picture"
X = np.linspace(-1, 1, 12)
IMAGES = np.arange(30 * 28 * 28, dtype=np.uint8).reshape(30, 28, 28)
LABELS = np.arange(30) % 10
DIGITS = [str(digit) for digit in range(10)]
CONFIDENCE = np.linspace(0.3, 0.9, 30)
MATRIX = np.array([[90, 10, 0], [0, 50, 0], [2, 0, 38]])
CALIBRATION = {
    "mlp": [
        {"low": 0.4, "high": 0.5, "confidence": 0.45, "accuracy": 0.0, "count": 3},
        {"low": 0.5, "high": 0.75, "confidence": 0.6, "accuracy": 0.7, "count": 40},
        {"low": 0.75, "high": 1.0, "confidence": 0.9, "accuracy": 0.8, "count": 60},
    ]
}
RESULTS = [
    ("dummy", 0.1, 0.09, 0.11, "scikit-learn"),
    ("softmax", 0.92, 0.91, 0.93, "pytorch"),
    ("mlp", 0.98, 0.97, 0.99, "pytorch"),
    ("random_forest", 0.97, 0.96, 0.98, "scikit-learn"),
]
PLANE = np.stack([X, X[::-1] ** 2], axis=1)
SIDES = (X > 0).astype(int)


def left_to_right(points: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-5 * points[:, 0]))


PICTURES: dict[str, Callable[[], Figure]] = {
    "predicted_against_true": lambda: predicted_against_true(
        X, {"scratch": X + 0.1, "module": X, "dummy": X * 0}, TITLE
    ),
    "fitted_lines": lambda: fitted_lines(X, X**2, {"scratch": (X, X), "module": (X, X)}, (X, X**2), TITLE),
    "coefficients": lambda: coefficients(
        ["intercept", "x1"], {"module": np.array([1.5, 2.0])}, np.array([1, 2]), TITLE
    ),
    "confusion_matrix": lambda: confusion_matrix(MATRIX, ["0", "1", "2"], TITLE),
    "misclassified_images": lambda: misclassified_images(IMAGES, LABELS, (LABELS + 1) % 10, CONFIDENCE, DIGITS, TITLE),
    "decision_boundary": lambda: decision_boundary(left_to_right, PLANE, SIDES, TITLE),
    "calibration_curve": lambda: calibration_curve(CALIBRATION, TITLE),
    "model_comparison": lambda: model_comparison(RESULTS, "accuracy", TITLE),
}


def texts(axes: matplotlib.axes.Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("name", PICTURES)
def test_equal_input_gives_equal_bytes_under_any_matplotlibrc(name: str, tmp_path: Path) -> None:
    save(PICTURES[name](), tmp_path / "first.png")
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 40, "axes.grid": False, "savefig.bbox": "tight"}):
        save(PICTURES[name](), tmp_path / "second.png")
    first = (tmp_path / "first.png").read_bytes()
    assert first == (tmp_path / "second.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    assert b"tEXt" not in first
    assert b"matplotlib" not in first.lower()


@pytest.mark.parametrize("name", PICTURES)
def test_title_legend_and_axes_lie_apart_inside_the_picture(name: str) -> None:
    figure = PICTURES[name]()
    figure.draw_without_rendering()
    page = figure.bbox
    boxes = [figure._suptitle.get_window_extent(), *(legend.get_window_extent() for legend in figure.legends)]
    boxes += [label.get_window_extent() for label in (figure._supxlabel,) if label]
    boxes += [axes.get_tightbbox() for axes in figure.axes if axes.axison or axes.images]
    for box in boxes:
        assert page.x0 - 1 <= box.x0 < box.x1 <= page.x1 + 1
        assert page.y0 - 1 <= box.y0 < box.y1 <= page.y1 + 1
    outer = boxes[: 1 + len(figure.legends) + (figure._supxlabel is not None)]
    for index, one in enumerate(outer):
        assert not any(one.overlaps(other) for other in boxes[index + 1 :])


def test_drawing_needs_no_global_figure_state() -> None:
    modules = "canvas, classification, comparison, regression"
    code = f"import sys; from notes.figures import {modules}; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)}, timeout=300)


def test_predicted_against_true_has_a_panel_a_model_with_its_rmse() -> None:
    panels = PICTURES["predicted_against_true"]().axes
    assert [axes.get_title(loc="left") for axes in panels[:2]] == ["scratch: RMSE 0.1", "module: RMSE 0"]
    np.testing.assert_allclose(panels[0].collections[0].get_offsets(), np.stack([X, X + 0.1], axis=1))
    assert panels[0].get_xlim() == panels[0].get_ylim()


def test_models_that_coincide_stay_visible_because_each_line_is_thinner_than_the_last() -> None:
    (axes,) = PICTURES["fitted_lines"]().axes
    scratch, module, true = axes.get_lines()
    assert scratch.get_linewidth() > 2 * module.get_linewidth()
    assert true.get_ydata().tolist() == (X**2).tolist()


def test_coefficients_show_value_and_distance_from_the_true_one() -> None:
    values, distances = PICTURES["coefficients"]().axes
    true, module = values.collections
    assert true.get_offsets()[:, 0].tolist() == [1, 2]
    assert module.get_offsets()[:, 0].tolist() == [1.5, 2.0]
    assert distances.collections[0].get_offsets()[:, 0].tolist() == [0.5, 0.0]


def test_confusion_matrix_colours_errors_alone_by_their_share_of_the_true_class() -> None:
    axes = PICTURES["confusion_matrix"]().axes[0]
    shares = axes.images[0].get_array()
    assert shares.mask.tolist() == np.eye(3, dtype=bool).tolist()
    assert (shares[0, 1], shares[2, 0]) == pytest.approx((0.1, 0.05))
    assert axes.images[0].get_clim() == pytest.approx((0, 0.1))
    assert texts(axes) == ["90\n90.0%", "10", "0", "0", "50\n100.0%", "0", "2", "0", "38\n95.0%"]


def test_confusion_matrix_without_errors_or_rows_of_a_class_is_drawn() -> None:
    axes = confusion_matrix(np.diag([5, 0]), ["cat", "ship"], "t").axes[0]
    assert texts(axes) == ["5\n100.0%", "0", "0", "0\n0.0%"]


def test_misclassified_images_shows_the_25_mistakes_of_most_confidence_in_order() -> None:
    predicted = np.where(np.arange(30) < 28, (LABELS + 1) % 10, LABELS)
    figure = misclassified_images(IMAGES, LABELS, predicted, CONFIDENCE, DIGITS, "t")
    tiles = [axes for axes in figure.axes if axes.images]
    assert len(tiles) == 25
    for axes, index in zip(tiles, range(27, 2, -1), strict=True):
        assert (axes.images[0].get_array() == IMAGES[index]).all()
        assert axes.get_title().startswith(f"{LABELS[index]} → {(LABELS[index] + 1) % 10}\n")
    assert figure._supxlabel.get_text().startswith("25 of 28 mistakes among 30 images")


def test_a_classifier_without_mistakes_gets_a_picture_that_says_so() -> None:
    figure = misclassified_images(IMAGES, LABELS, LABELS, CONFIDENCE, DIGITS, "t")
    assert not any(axes.images for axes in figure.axes)
    assert figure._supxlabel.get_text() == "No mistakes among 30 images"


def test_decision_boundary_lies_where_the_probability_is_one_half() -> None:
    axes = PICTURES["decision_boundary"]().axes[0]
    filled, boundary, class_0, class_1 = axes.collections
    assert filled.levels[[0, -1]].tolist() == [0, 1]
    np.testing.assert_allclose(boundary.get_paths()[0].vertices[:, 0], 0, atol=1e-3)
    assert len(class_0.get_offsets()) == int((SIDES == 0).sum())
    assert class_1.get_offsets().tolist() == PLANE[SIDES == 1].tolist()


def test_a_classifier_with_one_probability_everywhere_has_no_boundary() -> None:
    figure = decision_boundary(lambda points: np.full(len(points), 0.5), PLANE, SIDES, "t")
    assert len(figure.axes[0].collections) == 3  # the filled plane and two classes


def test_calibration_curve_sets_accuracy_over_confidence_where_examples_are_enough_with_all_counts_below() -> None:
    curves, counts = PICTURES["calibration_curve"]().axes
    assert curves.get_lines()[1].get_xydata().tolist() == [[0.6, 0.7], [0.9, 0.8]]
    assert counts.get_lines()[0].get_ydata().tolist() == [3, 40, 60]


def test_model_comparison_puts_the_best_on_top_and_the_dummy_in_a_note() -> None:
    (axes,) = PICTURES["model_comparison"]().axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mlp", "random_forest", "softmax"]
    assert axes.yaxis_inverted()
    assert axes.get_xlim()[0] > 0.9
    assert "dummy at 0.1000" in axes.get_xlabel()
    assert texts(axes)[0] == "0.9800  [0.9700, 0.9900]"
    (lower,) = model_comparison(RESULTS, "RMSE", "t", "minimize").axes
    assert [label.get_text() for label in lower.get_yticklabels()] == ["softmax", "random_forest", "mlp"]


def test_model_comparison_draws_each_interval_in_its_frameworks_colour() -> None:
    (axes,) = PICTURES["model_comparison"]().axes
    drawn = {container.get_label(): container for container in axes.containers}
    segments = drawn["scikit-learn"].lines[2][0].get_segments()
    np.testing.assert_allclose(segments, [[[0.96, 1], [0.98, 1]]])
    colors = [container.lines[0].get_color() for container in drawn.values()]
    assert len(set(colors)) == 2


def test_a_comparison_of_nothing_but_dummies_is_refused() -> None:
    with pytest.raises(UserError, match="but the dummy"):
        model_comparison(RESULTS[:1], "accuracy", "t")
