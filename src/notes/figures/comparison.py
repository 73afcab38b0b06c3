"""The picture that sets all models of a task side by side."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, ORANGE, PURPLE, canvas, legend_below, styled
from notes.files import UserError

FRAMEWORKS = {"pytorch": (BLUE, "o"), "scikit-learn": (ORANGE, "s")}


class Result(NamedTuple):
    """A model's value on the test set with its 95 % interval."""

    model: str
    value: float
    low: float
    high: float
    framework: str


@styled
def model_comparison(
    results: Sequence[tuple[str, float, float, float, str]], metric_label: str, title: str, direction: str = "maximize"
) -> Figure:
    """Draw a dot with its interval for each (model, value, low, high, framework), the best on top.

    `framework` is "pytorch" or "scikit-learn"; `direction` says whether high ("maximize") or low values are good.
    Dummy models stand as a note under the axis: their distance would squeeze all others together.
    """
    rows = sorted((Result(*row) for row in results), key=lambda row: row.value, reverse=direction == "maximize")
    drawn = [row for row in rows if "dummy" not in row.model]
    if not drawn:
        raise UserError("There is no model to compare but the dummy: evaluate at least one more.")
    figure, (axes,) = canvas(title, width=7.5, height=2 + 0.42 * len(drawn))
    for framework in dict.fromkeys(row.framework for row in drawn):
        color, marker = FRAMEWORKS.get(framework, (PURPLE, "D"))
        places = [place for place, row in enumerate(drawn) if row.framework == framework]
        chosen = [drawn[place] for place in places]
        reach = [[row.value - row.low for row in chosen], [row.high - row.value for row in chosen]]
        values = [row.value for row in chosen]
        axes.errorbar(
            values, places, xerr=reach, fmt=marker, color=color, markersize=7, capsize=4, elinewidth=2, label=framework
        )
    for place, row in enumerate(drawn):
        text = f"{row.value:#.4g}  [{row.low:#.4g}, {row.high:#.4g}]"
        axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9)
    axes.set_yticks(range(len(drawn)), [row.model for row in drawn])
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    notes = [f"not drawn: {row.model} at {row.value:#.4g}" for row in rows if row not in drawn]
    axes.set_xlabel("\n".join([f"{metric_label}, with 95 % interval", *notes]))
    legend_below(figure, axes)
    return figure
