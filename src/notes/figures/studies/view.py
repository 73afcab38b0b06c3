"""The figure of the study view."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, GREY, ORANGE, canvas, styled
from notes.studies.shared.base import Row, Verdict, column

FACTS = {
    "view_works": "view:\nflat rows",
    "view_keeps_values": "view: values\nin order",
    "view_shares": "view:\nno copy",
    "reshape_keeps_values": "reshape: values\nin order",
    "reshape_shares": "reshape:\nno copy",
    "half_n_unnoticed": "half of n:\nunnoticed",
}


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw a table of layouts and what came true of them: in how many of the batches."""
    figure, (axes,) = canvas(verdict.finding, width=8, height=4.2)
    layouts = list(dict.fromkeys(row["layout"] for row in rows))
    for line, layout in enumerate(layouts):
        for place, fact in enumerate(FACTS):
            share = column(rows, fact, layout=layout).mean()
            text = "yes" if share == 1 else "no" if share == 0 else f"{share:.0%}"
            color = BLUE if share == 1 else ORANGE if share == 0 else GREY
            axes.scatter(place, line, s=900, color=color, marker="s")
            axes.annotate(text, (place, line), ha="center", va="center", color="white", fontweight="bold", fontsize=9)
    axes.set_xticks(range(len(FACTS)), list(FACTS.values()))
    axes.set_yticks(np.arange(len(layouts)), layouts)
    axes.set_ylabel("layout of the batch")
    axes.set(xlim=(-0.5, len(FACTS) - 0.5), ylim=(len(layouts) - 0.5, -0.5))
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    return figure
