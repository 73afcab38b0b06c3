"""Pictures of the regression tasks."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from notes.figures.canvas import BLACK, BLUE, GREY, canvas, legend_below, series, square_limits, styled


@styled
def predicted_against_true(
    targets: np.ndarray, predictions: Mapping[str, np.ndarray], title: str, unit: str = "y"
) -> Figure:
    """Draw a panel a model: predicted over true values, both (n,), with the line where they are equal."""
    series(predictions)
    columns = len(predictions) if len(predictions) <= 3 else 2
    rows = -(-len(predictions) // columns)
    figure, panels = canvas(title, rows=rows, columns=columns, width=7, height=1.2 + rows * 6 / columns, share=True)
    limits = square_limits(targets, *predictions.values())
    for axes in panels[len(predictions) :]:
        axes.set_axis_off()
    for axes, (model, predicted) in zip(panels, predictions.items(), strict=False):
        axes.scatter(targets, predicted, s=12, color=BLUE, alpha=0.5, linewidths=0)
        axes.plot(limits, limits, color=BLACK, linewidth=1, linestyle="--")
        error = np.sqrt(np.mean((np.asarray(predicted) - targets) ** 2))
        axes.set_title(f"{model}: RMSE {error:.4g}", loc="left")
        axes.set(xlim=limits, ylim=limits, aspect="equal")
    figure.supxlabel(f"true {unit} (on the dashed line, predicted = true)", fontsize=10)
    figure.supylabel(f"predicted {unit}", fontsize=10)
    return figure


@styled
def fitted_lines(
    x: np.ndarray,
    y: np.ndarray,
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]],
    true_curve: tuple[np.ndarray, np.ndarray] | None,
    title: str,
) -> Figure:
    """Draw the points x, y (n,), the fitted line of every model and the true curve, each as (grid x, grid y).

    Lines that lie on each other stay visible: each is thinner than the one below it.
    """
    figure, (axes,) = canvas(title, width=7, height=4.8)
    axes.scatter(x, y, s=14, color=GREY, alpha=0.45, linewidths=0, label="examples")
    widths = np.linspace(7, 1.5, len(lines))
    for (model, (grid_x, grid_y)), width, (color, _) in zip(lines.items(), widths, series(lines).values(), strict=True):
        axes.plot(grid_x, grid_y, color=color, linewidth=width, solid_capstyle="butt", label=model)
    if true_curve is not None:
        axes.plot(*true_curve, color=BLACK, linewidth=1.2, linestyle=(0, (4, 3)), label="true curve")
    axes.set(xlabel="feature x1", ylabel="target y")
    legend_below(figure, axes, columns=3)
    return figure


@styled
def coefficients(names: Sequence[str], models: Mapping[str, np.ndarray], true: np.ndarray, title: str) -> Figure:
    """Draw every model's coefficients beside the true ones, and their distance from these; all shaped (len(names),)."""
    figure, (values, distances) = canvas(title, columns=2, width=7.5, height=1.9 + 0.5 * len(names))
    rows = np.arange(len(names))
    values.scatter(true, rows, marker="|", s=420, color=BLACK, linewidths=1.6, label="true", zorder=1)
    distances.axvline(0, color=BLACK, linewidth=1.2)
    offsets = np.linspace(-0.24, 0.24, len(models)) if len(models) > 1 else np.zeros(1)
    for (model, found), offset, (color, marker) in zip(models.items(), offsets, series(models).values(), strict=True):
        values.scatter(found, rows + offset, s=26, color=color, marker=marker, label=model, zorder=2)
        distances.scatter(np.asarray(found) - true, rows + offset, s=26, color=color, marker=marker, zorder=2)
    _name_rows(values, names)
    _name_rows(distances, [""] * len(names))
    values.set_xlabel("coefficient")
    distances.set_xlabel("coefficient - true coefficient")
    legend_below(figure, values, columns=5)
    return figure


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.locator_params(axis="x", nbins=6)
