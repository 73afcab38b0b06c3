"""What all pictures share: palette, type, an empty figure with its title, and the file it becomes."""

import functools
import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from notes.files import UserError, write_bytes

P = ParamSpec("P")

# Okabe and Ito 2008, Color Universal Design: eight colours that colour-blind readers tell apart.
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, BLACK = "#56B4E9", "#CC79A7", "#000000"
GREY, PALE = "#6E6E6E", "#E4E4E4"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
MARKERS = ("o", "s", "^", "D", "v", "X")
DOTS_PER_INCH = 130
CHARACTERS_PER_INCH = 10  # of a bold title

# All defaults are set again, so that a reader's own matplotlibrc changes no byte of a picture.
STYLE = {
    **{name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith("backend")},
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "grid.color": PALE,
    "figure.constrained_layout.h_pad": 0.08,
    "legend.frameon": False,
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a drawing function under this project's style."""

    @functools.wraps(draw)
    def wrapper(*arguments: P.args, **keywords: P.kwargs) -> Figure:
        with matplotlib.rc_context(STYLE):
            return draw(*arguments, **keywords)

    return wrapper


def canvas(
    title: str,
    *,
    rows: int = 1,
    columns: int = 1,
    width: float,
    height: float,
    share: bool = False,
    height_ratios: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """Return a figure, inches wide and high, with its title, and its axes row by row."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    figure.suptitle(
        textwrap.fill(title, int(width * CHARACTERS_PER_INCH)), x=0.01, ha="left", fontsize=11.5, fontweight="bold"
    )
    axes = figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share, height_ratios=height_ratios)
    return figure, list(axes.flat)


def legend_below(figure: Figure, axes: Axes, columns: int = 4) -> None:
    """Put the legend of `axes` under the figure, where it hides no data."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=columns)


def series(models: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """Return a colour and a marker for each model, in order; raise UserError for none."""
    if not models:
        raise UserError("There is no model to draw: name at least one.")
    return {model: (SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)]) for index, model in enumerate(models)}


def square_limits(*values: np.ndarray) -> tuple[float, float]:
    """Return the ends of one axis that holds all values, with a small margin."""
    low = min(float(np.min(array)) for array in values)
    high = max(float(np.max(array)) for array in values)
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def save(figure: Figure, path: Path | str) -> None:
    """Write the figure as PNG atomically; equal figures give equal bytes, because no version or date goes in."""
    write_bytes(path, png(figure))


def png(figure: Figure) -> bytes:
    """Return the bytes of the file that `save` writes."""
    content = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()
