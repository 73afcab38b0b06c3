"""The figure of the study loss_choice."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from notes.figures.canvas import BLACK, canvas, legend_below, series, styled
from notes.figures.rates import HOLLOW, draw_rates, plain_logarithmic
from notes.studies.loss_choice import MARGINS, REFERENCE, runs_of
from notes.studies.shared.base import Row, Verdict, column, rows_where
from notes.studies.shared.rates import judged, ratio


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw the gradient over the margin, the epochs over the learning rate, and the ratios that the rule compares."""
    figure, (gradients, training, compared) = canvas(verdict.finding, columns=3, width=10.5, height=5.2)
    losses = {str(row["loss"]): runs_of(str(row["loss"])) for row in rows}
    for name, (color, _) in series(losses).items():
        curve = rows_where(rows, kind="gradient", loss=name)[: len(MARGINS)]  # equal for all seeds
        gradients.plot(column(curve, "margin"), column(curve, "gradient"), color=color, linewidth=2)
    gradients.set(title="how hard a loss pulls", yscale="log", ylim=(1e-5, 100))
    gradients.set_ylabel("length of the gradient at the logits")
    gradients.set_xlabel("logit of the right class minus\nthat of the wrong one (left: a sure mistake)")
    gradients.xaxis.set_major_locator(MultipleLocator(5))
    draw_rates(training, rows, losses, "epochs")
    training.set(title="choosing the learning rate", ylabel="epochs to the accuracy target")
    training.set_xlabel(f"learning rate of Adam (ring: the best one;\n{HOLLOW})")
    _draw_ratios(compared, rows, list(losses))
    legend_below(figure, training)
    figure.legends[0].set_title("geometric mean, 95 % interval")
    return figure


def _draw_ratios(axes: Axes, rows: list[Row], losses: list[str]) -> None:
    """Draw each rival's epochs as a multiple of the reference's: by each seed, and, large, by all of them together."""
    looks = series(dict.fromkeys(losses))
    seeds = sorted({row["study_seed"] for row in rows})
    rivals = [loss for loss in losses if loss != REFERENCE]
    for place, rival in enumerate(rivals):
        color, marker = looks[rival]
        parts = [rows_where(rows, study_seed=seed) for seed in seeds]
        beside = [place - 0.3 + 0.09 * number for number in range(len(seeds))]
        for x, part, size in [*zip(beside, parts, [4] * len(seeds), strict=True), (place + 0.3, rows, 8)]:
            value, low, high = ratio(part, "epochs", runs_of(rival), runs_of(REFERENCE))
            face = color if judged(part, "reached", runs_of(rival)).all() else "white"
            ends = [[value - low], [high - value]]
            axes.errorbar([x], [value], ends, fmt=marker, color=color, markersize=size, markerfacecolor=face, capsize=2)
    axes.axhline(1, color=BLACK, linewidth=1, linestyle="--")
    axes.set_xticks(range(len(rivals)), [rival.replace(" of ", "\nof ") for rival in rivals])
    axes.set_xlim(-0.5, len(rivals) - 0.5)
    axes.grid(visible=False, axis="x")
    axes.set(title=f"against {REFERENCE}, at the best rates", xlabel=f"small: by each seed; large: by all {len(seeds)}")
    axes.set_ylabel("times as many epochs (dashed: 1)")
    plain_logarithmic(axes)
