"""The figure of the study vanishing_gradients."""

from matplotlib.figure import Figure

from notes.figures.canvas import GREY, canvas, legend_below, series, styled
from notes.intervals import mean_interval
from notes.studies.shared.base import Row, Verdict
from notes.studies.vanishing_gradients import STARTS, VANISHED, decades


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show the share of gradient that arrives at the first layer against depth, a panel a start."""
    figure, panels = canvas(verdict.finding, columns=2, width=9, height=4.4, share=True)
    activations = list(dict.fromkeys(row["activation"] for row in rows))
    depths = sorted({row["depth"] for row in rows})
    for axes, (start, text) in zip(panels, STARTS.items(), strict=True):
        for activation, (color, marker) in series(dict.fromkeys(activations)).items():
            found = [mean_interval(decades(rows, activation, start, depth)) for depth in depths]
            axes.plot(depths, [10**f.value for f in found], color=color, marker=marker, label=activation)
            axes.fill_between(depths, [10**f.low for f in found], [10**f.high for f in found], color=color, alpha=0.25)
        axes.axhline(10**VANISHED, color=GREY, linestyle="--", label="a hundredth: vanished below")
        axes.set(title=text, xlabel="hidden layers", yscale="log", xticks=depths)
    panels[0].set_ylabel("gradient norm, first ÷ last hidden layer")
    legend_below(figure, panels[0])
    return figure
