"""The figure of the study mini_batches."""

from matplotlib.figure import Figure

from notes.figures.canvas import canvas, legend_below, styled
from notes.figures.rates import HOLLOW, draw_best, draw_rates
from notes.studies.shared.base import Row, Verdict


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show what each learning rate costs, and at the best rates the two ends between which a machine's time lies.

    A duration is no function of the inputs, so none is drawn. A machine that has one sample at a time in hand takes
    time as samples go by, one that has a whole batch in hand as updates do.
    """
    figure, (rates, samples, updates) = canvas(verdict.finding, columns=3, width=10.5, height=5.2)
    sizes = sorted({row["batch_size"] for row in rows})
    sized = {f"{size:,}" if size != sizes[-1] else f"all {size:,}": {"batch_size": size} for size in sizes}
    draw_rates(rates, rows, sized, "samples")
    rates.set(title="choosing the learning rate", xlabel=f"learning rate (ring: the best one;\n{HOLLOW})")
    rates.set_ylabel("samples to the target accuracy")
    draw_best(samples, rows, sized, "samples")
    samples.set(title="time, if every sample takes as long", xlabel="batch size, at its best rate")
    samples.set_ylabel("samples to the target accuracy")
    draw_best(updates, rows, sized, "updates")
    updates.set(title="time, if every update takes as long", xlabel="batch size, at its best rate")
    updates.set_ylabel("updates to the target accuracy")
    legend_below(figure, rates)
    figure.legends[0].set_title("batch size: geometric mean, 95 % interval")
    return figure
