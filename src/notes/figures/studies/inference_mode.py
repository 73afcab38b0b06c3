"""The figure of the study inference_mode."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, GREEN, ORANGE, VERMILION, canvas, legend_below, styled
from notes.studies.shared.base import Row, Verdict, column

SWITCHES = {
    "train(), gradients": (False, True, VERMILION, "o"),
    "eval(), gradients": (True, True, ORANGE, "s"),
    "train(), no_grad()": (False, False, GREEN, "^"),
    "eval(), no_grad()": (True, False, BLUE, "D"),
}
PANELS = {
    "largest_move_of_weights": "weights: largest move in an epoch",
    "largest_move_of_averages": "batch norm's averages: largest move",
    "probability_change": "a row predicted twice: mean change",
}


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show what moves and changes under each pair of switches, a group a kind of network, a point a repetition."""
    figure, panels = canvas(verdict.finding, columns=3, width=12, height=4.6)
    kinds = list(dict.fromkeys(str(row["network"]) for row in rows))
    for axes, (name, title) in zip(panels, PANELS.items(), strict=True):
        for place, kind in enumerate(kinds):
            for number, (label, (evaluating, gradients, color, marker)) in enumerate(SWITCHES.items()):
                values = column(rows, name, network=kind, eval=evaluating, gradients=gradients)
                x = place + 0.2 * (number - 1.5) + np.linspace(-0.07, 0.07, len(values))
                named = label if place == 0 else None
                axes.scatter(
                    x, values, s=14, color=color, marker=marker, alpha=0.7, linewidths=0, label=named, zorder=3
                )
        axes.set_title(title)
        axes.set_xticks(
            range(len(kinds)), [kind.replace(" ", "\n", 1) if "+" not in kind else "both" for kind in kinds]
        )
        axes.set_ylim(bottom=-0.04 * axes.get_ylim()[1])
        axes.grid(visible=False, axis="x")
    panels[0].set_ylabel("difference (a point a repetition)")
    legend_below(figure, panels[0])
    return figure
