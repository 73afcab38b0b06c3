"""The figure of the study exploding_gradients."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import BLACK, canvas, legend_below, series, styled
from notes.studies.exploding_gradients import BLOCKS, KINDS
from notes.studies.shared.base import Row, Verdict, column

SHOWN = 1e-3, 1e15  # what explodes leaves the picture


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the largest gradient of each block of steps, with and without clearing, by learning rate."""
    figure, panels = canvas(verdict.finding, columns=2, width=8, height=4.8, share=True)
    steps = sorted({row["last_step"] for row in rows})
    rates = sorted({row["learning_rate"] for row in rows})
    colors = series({f"{rate:g}": 0 for rate in rates})
    for axes, kind in zip(panels, KINDS, strict=True):
        for rate, (color, marker) in zip(rates, colors.values(), strict=True):
            for cleared, style in ((True, ":"), (False, "-")):
                runs = column(rows, "largest", kind=kind, learning_rate=rate, cleared=cleared).reshape(-1, BLOCKS)
                middle = np.clip(np.median(runs, axis=0), SHOWN[0] / 10, SHOWN[1] * 10)
                label = None if cleared else f"learning rate {rate:g}/λ"
                sign = "" if cleared else marker
                axes.plot(steps, middle, color=color, linestyle=style, marker=sign, markersize=3.5, label=label)
        axes.set(yscale="log", ylim=SHOWN, xlabel="step")
        first = [column(rows, "largest", kind=kind, learning_rate=r, cleared=False, last_step=steps[0]) for r in rates]
        gone = [f"{r:g}/λ" for r, values in zip(rates, first, strict=True) if np.median(values) > SHOWN[1]]
        axes.set_title(kind + (f" ({', '.join(gone)} leaves at once)" if gone else ""), loc="left")
    for style, name in (("-", "not cleared"), (":", "cleared")):
        panels[0].plot([], [], color=BLACK, linestyle=style, label=name)
    panels[0].set_ylabel("largest gradient among 200 steps\n(median of the runs)".replace("200", f"{steps[0]:g}"))
    legend_below(figure, panels[0])
    return figure
