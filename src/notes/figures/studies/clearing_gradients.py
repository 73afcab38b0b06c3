"""The figure of the study clearing_gradients."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLACK, canvas, legend_below, series, styled
from notes.studies.clearing_gradients import PROBLEMS, SHOWN, means_of_blocks
from notes.studies.shared.base import Row, Verdict, rows_where


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw loss (above) and length of update (below) over the steps, a column a problem."""
    figure, panels = canvas(verdict.finding, rows=2, columns=2, width=7.5, height=6.5)
    steps = sorted({row["last_step"] for row in rows})
    rates = list(dict.fromkeys(row["learning_rate"] for row in rows))
    colors = [color for color, _ in series(dict.fromkeys(map(str, rates))).values()]
    for index, problem in enumerate(PROBLEMS):
        for axes, name in ((panels[index], "loss"), (panels[index + 2], "update_length")):
            for learning_rate, color in zip(rates, colors, strict=True):
                for cleared, style in ((True, "-"), (False, "--")):
                    runs = means_of_blocks(rows, problem, learning_rate, cleared, name)
                    label = f"learning rate {learning_rate:g}" if cleared else None
                    axes.plot(steps, np.median(runs, axis=0), color=color, linestyle=style, label=label)
            axes.set_yscale("log")
            low, high = axes.get_ylim()
            axes.set_ylim(max(low, SHOWN[0]), min(high, SHOWN[1]))
        exploding = {row["learning_rate"] for row in rows_where(rows, problem=problem, cleared=True, exploded=True)}
        note = [f"; {rate:g} explodes when cleared, out of sight" for rate in sorted(exploding)]
        panels[index].set_title("".join([problem, *note]), loc="left")
        panels[index + 2].set_xlabel("step (lines: median of the runs)")
    panels[0].plot([], [], color=BLACK, linestyle="-", label="gradients cleared")
    panels[0].plot([], [], color=BLACK, linestyle="--", label="not cleared")
    panels[0].set_ylabel("loss")
    panels[2].set_ylabel("length of the update\n(in units of the weights)")
    legend_below(figure, panels[0], columns=3)
    return figure
