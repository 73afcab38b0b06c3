"""The figure of the study initialisation."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLACK, BLUE, GREY, VERMILION, canvas, legend_below, styled
from notes.studies.initialisation import BAD, PROBLEMS, STARTS, best_start
from notes.studies.shared.base import Row, Verdict, rows_where


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the updates of every run, a panel a problem; runs that never reached the target have a mark of their own."""
    figure, panels = canvas(verdict.finding, columns=2, width=9.5, height=4.4, share=True)
    for axes, problem in zip(panels, PROBLEMS, strict=True):
        for index, start in enumerate(STARTS):
            runs = rows_where(rows, problem=problem, start=start)
            offsets = np.linspace(-0.22, 0.22, len(runs))
            for reached, marker, color, label in (
                (True, "o", BLUE, "reached the target"),
                (False, "x", VERMILION, "had not reached it when training ended"),
            ):
                chosen = [position for position, row in enumerate(runs) if row["reached"] == reached]
                axes.scatter(
                    index + offsets[chosen], [runs[position]["updates"] for position in chosen],
                    marker=marker, s=10, color=color, alpha=0.6, linewidths=0.8, zorder=3,
                    label=label if index == 0 else None,
                )  # fmt: skip
            middle = np.exp(np.log([row["updates"] for row in runs]).mean())
            axes.hlines(middle, index - 0.32, index + 0.32, color=BLACK)
            if start == best_start(rows, problem):
                axes.axhline(BAD * middle, color=GREY, linestyle="--", label="twice the best start: bad above")
        axes.set_xticks(range(len(STARTS)), STARTS)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(visible=False, axis="x")
        axes.set_title(problem, loc="left")
    panels[0].set_ylabel("updates to the target\n(line: geometric mean)")
    legend_below(figure, panels[0], columns=3)
    return figure
