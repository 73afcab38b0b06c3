"""The figure of the study relu_speed."""

from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, ORANGE, canvas, legend_below, styled
from notes.studies.relu_speed import ACTIVATIONS, best_rate, curves
from notes.studies.shared.base import Row, Verdict


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the training loss over the epochs, a panel a depth: every run that compares, and their mean."""
    depths = sorted({row["depth"] for row in rows})
    figure, panels = canvas(verdict.finding, columns=len(depths), width=7.5, height=4.4, share=True)
    for axes, depth in zip(panels, depths, strict=True):
        for activation, color, marker in zip(ACTIVATIONS, (ORANGE, BLUE), "so", strict=True):
            runs = curves(rows, depth, activation)
            epochs = range(1, runs.shape[1] + 1)
            axes.plot(epochs, runs.T, color=color, linewidth=0.5, alpha=0.35)
            name = activation.replace("relu", "ReLU")
            axes.plot(epochs, runs.mean(axis=0), color=color, marker=marker, label=name)
            text = f" {best_rate(rows, depth, activation):g}"
            axes.annotate(text, (epochs[-1], runs[:, -1].mean()), color=color, va="center", annotation_clip=False)
        axes.set(yscale="log", xlabel="epoch", xticks=list(epochs))
        axes.set_title(f"{depth} hidden layer{'' if depth == 1 else 's'}", loc="left")
    panels[0].set_ylabel("training loss\n(at the end: learning rate of Adam)")
    legend_below(figure, panels[0])
    return figure
