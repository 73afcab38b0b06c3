"""Pictures of classifiers: where they are wrong, how sure they are, and where they draw the line."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from notes.figures.canvas import BLACK, BLUE, GREY, ORANGE, PALE, SKY, VERMILION, canvas, legend_below, series, styled
from notes.files import UserError

ERROR_COLORS = LinearSegmentedColormap.from_list("errors", ["#FFFFFF", ORANGE, VERMILION])
PROBABILITY_COLORS = LinearSegmentedColormap.from_list("probability", [BLUE, SKY, "#FFFFFF", ORANGE, VERMILION])
MOST_MISTAKES = 25
ENOUGH = 10  # examples behind a share that is drawn


@styled
def confusion_matrix(matrix: np.ndarray, class_names: Sequence[str], title: str) -> Figure:
    """Draw the counts (classes, classes), rows true; colour is the share of the true class, on errors alone.

    The diagonal has one neutral colour: on a common scale it would leave every error white.
    """
    matrix = np.asarray(matrix)
    classes = len(class_names)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    errors = np.where(np.eye(classes, dtype=bool), np.nan, share)
    side = 4.2 + 0.3 * classes
    figure, (axes,) = canvas(title, width=side + 0.6, height=side)
    axes.set_facecolor(PALE)
    most = np.nanmax(errors) or 1.0
    image = axes.imshow(errors, cmap=ERROR_COLORS, vmin=0, vmax=most)
    for row, column in np.ndindex(classes, classes):
        text = f"{matrix[row, column]:,}"
        if row == column:
            text += f"\n{share[row, column]:.1%}"
        faint = GREY if matrix[row, column] == 0 else BLACK
        axes.text(column, row, text, ha="center", va="center", fontsize=8 if classes > 4 else 11, color=faint)
    axes.grid(visible=False)
    axes.set_xticks(range(classes), class_names)
    if max(map(len, class_names)) > 3:
        axes.tick_params(axis="x", rotation=45)
    axes.set_yticks(range(classes), class_names)
    axes.set(xlabel="predicted class", ylabel="true class")
    figure.colorbar(image, label="share of the true class, errors only", format="{x:.1%}", shrink=0.8)
    return figure


@styled
def misclassified_images(
    images: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    confidence: np.ndarray,
    class_names: Sequence[str],
    title: str,
) -> Figure:
    """Draw the up to 25 mistakes of which the model was most sure.

    `images` (n, 28, 28) are all images, right ones too; `labels`, `predicted` and `confidence` (the probability of the
    predicted class) have shape (n,); they are numbers of `class_names`.
    """
    wrong = np.flatnonzero(np.asarray(labels) != np.asarray(predicted))
    shown = wrong[np.argsort(-np.asarray(confidence)[wrong], kind="stable")][:MOST_MISTAKES]
    columns = 5
    rows = max(-(-len(shown) // columns), 1)
    figure, panels = canvas(title, rows=rows, columns=columns, width=7, height=1.3 + 1.55 * rows if len(shown) else 1.3)
    for axes in panels:
        axes.set_axis_off()
    mistakes = [f"{class_names[labels[index]]} → {class_names[predicted[index]]}" for index in shown]
    size = 9 if max(map(len, mistakes), default=0) < 16 else 7.5
    for axes, index, mistake in zip(panels, shown, mistakes, strict=False):
        axes.imshow(images[index], cmap="gray_r", vmin=0, vmax=images.max())
        axes.set_title(f"{mistake}\n{confidence[index]:.1%} sure", fontsize=size)
    note = f"{len(shown)} of {len(wrong):,} mistakes among {len(labels):,} images: true class → predicted class"
    figure.supxlabel(note if len(wrong) else f"No mistakes among {len(labels):,} images", fontsize=10)
    return figure


@styled
def decision_boundary(
    predict_probability: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray, labels: np.ndarray, title: str
) -> Figure:
    """Draw the probability of class 1 over the plane, the line where it is one half, and the examples.

    `inputs` has shape (n, 2), `labels` (n,) with 0 and 1. `predict_probability` is called once with float64 (m, 2) and
    returns (m,).
    """
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    margin = 0.08 * (high - low)
    grids = np.meshgrid(*(np.linspace(*ends, 160) for ends in zip(low - margin, high + margin, strict=True)))
    probability = predict_probability(np.stack(grids, axis=-1).reshape(-1, 2)).reshape(grids[0].shape)
    figure, (axes,) = canvas(title, width=7, height=4.8)
    filled = axes.contourf(*grids, probability, levels=np.linspace(0, 1, 11), cmap=PROBABILITY_COLORS, alpha=0.6)
    if probability.min() < 0.5 < probability.max():
        axes.contour(*grids, probability, levels=[0.5], colors=BLACK, linewidths=1.6)
    for label, color, marker in ((0, BLUE, "o"), (1, VERMILION, "^")):
        x1, x2 = inputs[labels == label].T
        axes.scatter(
            x1, x2, s=22, color=color, marker=marker, edgecolors="white", linewidths=0.5, label=f"class {label}"
        )
    axes.grid(visible=False)
    axes.set(xlabel="feature x1", ylabel="feature x2")
    figure.colorbar(filled, label="predicted probability of class 1", format="{x:.0%}")
    legend_below(figure, axes)
    return figure


@styled
def calibration_curve(rows_by_model: Mapping[str, Sequence[Mapping[str, float]]], title: str) -> Figure:
    """Draw accuracy over confidence, where ENOUGH examples stand behind a point, and below how many there are.

    Rows are those of `evaluation.calibration`. Raises UserError when there is none.
    """
    looks = series(rows_by_model)
    if not all(rows_by_model.values()):
        raise UserError("A model has no calibration rows: evaluate it on at least one example.")
    figure, (curves, counts) = canvas(title, rows=2, width=6.5, height=6.2, height_ratios=[3, 1])
    lowest = min(row["low"] for rows in rows_by_model.values() for row in rows)
    curves.plot([lowest, 1], [lowest, 1], color=BLACK, linewidth=1, linestyle="--", label="perfectly calibrated")
    for model, rows in rows_by_model.items():
        color, marker = looks[model]
        many = [row for row in rows if row["count"] >= ENOUGH]
        curves.plot(
            [row["confidence"] for row in many],
            [row["accuracy"] for row in many],
            color=color,
            marker=marker,
            label=model,
        )
        counts.plot(
            [row["confidence"] for row in rows],
            [row["count"] for row in rows],
            color=color,
            marker=marker,
            markersize=4,
        )
    counts.axhline(ENOUGH, color=BLACK, linewidth=1, linestyle=":")
    curves.set_ylabel(f"share that is right\n(of {ENOUGH} examples or more)")
    counts.set(xlabel="confidence (probability of the predicted class)", ylabel="examples", yscale="log")
    counts.yaxis.set_major_formatter("{x:,.0f}")
    for axes in (curves, counts):
        axes.set_xlim(lowest - 0.01, 1.01)
        axes.xaxis.set_major_formatter("{x:.0%}")
    curves.yaxis.set_major_formatter("{x:.0%}")
    legend_below(figure, curves, columns=3)
    return figure
