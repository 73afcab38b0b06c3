"""The figure of the study clearing_gradients."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from notes.figures.canvas import BLACK, canvas, legend_below, series, styled
from notes.studies.clearing_gradients import PROBLEMS, blocks, works, worse_by
from notes.studies.shared.base import Row, Verdict

SHOWN = 1e-4, 30  # what explodes or falls to the last bit leaves the picture


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the loss over the steps at one learning rate (left, middle); how much worse it ends at each (right)."""
    figure, (*panels, factors) = canvas(verdict.finding, columns=3, width=11.5, height=4.6)
    rates = sorted({row["learning_rate"] for row in rows})
    colors = dict(zip(rates, (color for color, _ in series(dict.fromkeys(map(str, rates))).values()), strict=True))
    for axes, problem in zip(panels, PROBLEMS, strict=True):
        _draw_losses(axes, rows, problem, colors)
    panels[0].set_ylabel("loss (median of the runs)")
    for place, problem in enumerate(PROBLEMS):
        for rate in (rate for rate in rates if works(rows, problem, rate)):
            value, low, high = worse_by(rows, problem, rate)
            x = place + 0.16 * (rates.index(rate) - (len(rates) - 1) / 2)
            factors.errorbar([x], [value], [[value - low], [high - value]], fmt="o", capsize=4, color=colors[rate])
    for rate, color in colors.items():
        factors.plot([], [], color=color, marker="o", linestyle="", label=f"learning rate {rate:g}")
    for style, label in (("-", "gradients cleared"), ("--", "not cleared")):
        factors.plot([], [], color=BLACK, linestyle=style, label=label)
    factors.axhline(2, color=BLACK, linestyle=":")
    factors.text(-0.45, 1.9, "twice: spoilt above", va="top")
    factors.set(title="loss without clearing ÷ with it, at the end", yscale="log", xlim=(-0.5, len(PROBLEMS) - 0.5))
    factors.set_xticks(range(len(PROBLEMS)), PROBLEMS)
    factors.grid(visible=False, axis="x")
    legend_below(figure, factors, columns=3)
    return figure


def _draw_losses(axes: Axes, rows: list[Row], problem: str, colors: dict[float, str]) -> None:
    """Draw the highest learning rate that works with clearing: the one that a reader would take."""
    steps = sorted({row["last_step"] for row in rows})
    working = [rate for rate in colors if works(rows, problem, rate)]
    rate = max(working, default=min(colors))
    for cleared, style in ((True, "-"), (False, "--")):
        middle = np.median(blocks(rows, problem, rate, cleared), axis=0)
        axes.plot(steps, middle, color=colors[rate], linestyle=style, linewidth=2)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, SHOWN[0]), min(high, SHOWN[1]))
    stuck = [f"{other:g}" for other in colors if other not in working]
    axes.set(title=f"{problem}, learning rate {rate:g}" + f" ({' and '.join(stuck)} does not work)" * bool(stuck))
    axes.set_xlabel("step")
