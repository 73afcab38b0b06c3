"""The figure of the study inference_mode."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, VERMILION, canvas, legend_below, styled
from notes.studies.shared.base import Row, Verdict, column


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the change of the probabilities (left) and the bytes kept (right) of each kind under each switch."""
    figure, (changes, kept) = canvas(verdict.finding, columns=2, width=8, height=4.6)
    kinds = list(dict.fromkeys(row["network"] for row in rows))
    for index, kind in enumerate(kinds):
        for switch, color, marker, label in ((False, VERMILION, "o", "without it"), (True, BLUE, "s", "with it")):
            named = label if index == 0 else None
            for axes, values in (
                (changes, column(rows, "probability_change", network=kind, eval=switch, gradients=False)),
                (
                    kept,
                    column(rows, "bytes_kept", network=kind, eval=True, gradients=not switch)
                    / column(rows, "rows", network=kind, eval=True, gradients=not switch),
                ),
            ):
                offsets = np.linspace(-0.25, 0.25, len(values))
                axes.scatter(index + offsets, values, s=18, color=color, marker=marker, label=named, zorder=3)
    changes.set_title("eval()", loc="left")
    changes.set_ylabel("change of a row's probability\nbetween two passes (mean over rows)")
    kept.set_title("no_grad()", loc="left")
    kept.set_ylabel("bytes kept for the backward pass\n(a row)")
    for axes in (changes, kept):
        axes.set_xticks(
            range(len(kinds)), [kind.replace(" ", "\n", 1) if "+" not in kind else "both" for kind in kinds]
        )
        axes.set_ylim(bottom=min(0.0, -0.04 * axes.get_ylim()[1]))
        axes.grid(visible=False, axis="x")
    legend_below(figure, changes)
    return figure
