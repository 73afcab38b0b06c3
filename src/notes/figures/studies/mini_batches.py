"""The figure of the study mini_batches."""

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from notes.figures.canvas import BLUE, GREY, VERMILION, canvas, legend_below, styled
from notes.studies.mini_batches import at_best_rate
from notes.studies.shared.base import Row, Verdict


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show bytes held, epochs and updates to the target against batch size, at each size's best learning rate."""
    figure, panels = canvas(verdict.finding, columns=3, width=11, height=4.2)
    sizes = sorted({row["batch_size"] for row in rows})
    texts = {
        "bytes_held": "held for the backward pass (MB)",
        "epochs": "epochs to the target: all samples once each",
        "updates": "updates of the weights to the target",
    }
    for axes, (name, text) in zip(panels, texts.items(), strict=True):
        values = [at_best_rate(rows, size, name) / (1e6 if name == "bytes_held" else 1) for size in sizes]
        for size, found in zip(sizes, values, strict=True):
            label = "a repetition" if size == sizes[0] else None
            axes.plot([size] * len(found), found, ".", color=GREY, alpha=0.5, label=label)
        axes.plot(sizes, [found.mean() for found in values], color=BLUE, marker="o", label="mean")
        axes.plot(sizes[-1], values[-1].mean(), "s", color=VERMILION, markersize=8, label="full batch")
        axes.set(title=text, xlabel="batch size (samples)", xscale="log", yscale="log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=45)
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
    legend_below(figure, panels[0])
    return figure
