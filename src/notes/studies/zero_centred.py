"""Does tanh learn faster than sigmoid, and is it because its outputs are centred on zero?

Sigmoid's outputs are all positive. Then the gradients of all weights into one unit of the next layer have the same
sign, and the descent zigzags (LeCun et al., Efficient BackProp, 1998). Tanh is the same curve stretched and centred:
tanh(x) = 2·sigmoid(2x) - 1. So it differs in two ways: the mean of its outputs, and a slope four times as steep.

The study trains both from the same weights and counts the epochs to a given validation loss, at several learning rates.
A third network takes the two causes apart: tanh(x) + 1 has tanh's slope and no zero mean.
"""

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from torch import Tensor, nn

from notes.data.tasks import Split, load_split
from notes.evaluation import mean_interval
from notes.figures.canvas import GREY, canvas, legend_below, series, styled
from notes.networks.mlp import ClassifierOptions, Mlp
from notes.params.studies import ZeroCentred
from notes.studies.base import Row, Verdict, column, paired_interval
from notes.studies.experiment import generator_for, train

CLAIM = "Tanh, whose outputs are centred on zero, converges faster than sigmoid."
NOTES = "2. Activation functions"
RULE = (
    "A run that does not reach the target counts as its last epoch. The claim holds at a learning rate if the 95 % "
    "interval of the paired difference in epochs, sigmoid minus tanh, lies above zero. 'holds' is for all learning "
    "rates, 'holds under' for some, 'fails' for none. The shifted tanh explains and does not decide."
)


class Shifted(nn.Module):
    """An activation moved up by one: its slope stays, its mean does not."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.activation(inputs) + 1
        return outputs


def measure(settings: ZeroCentred, generator_seed: int) -> list[Row]:
    """Return a row for each network, learning rate and repetition: the epochs to the target, and if it was reached."""
    data, held_out = load_split("moons", "train"), load_split("moons", "validation")
    networks = {
        "centred": settings.centred,
        "uncentred": settings.uncentred,
        "shifted": f"{settings.centred} + 1: as steep, not centred",
    }
    return [
        {"network": network, "activation": name, "learning_rate": rate, "repetition": repetition}
        | epochs_to_target(settings, network, rate, data, held_out, generator_for(generator_seed, repetition))
        for network, name in networks.items()
        for rate in settings.learning_rates
        for repetition in range(settings.repetitions)
    ]


def epochs_to_target(
    settings: ZeroCentred, name: str, rate: float, data: Split, held_out: Split, generator: torch.Generator
) -> Row:
    """Train until the validation loss is at the target; the same generator gives each network the same start."""
    activation = settings.uncentred if name == "uncentred" else settings.centred
    network = Mlp(data.inputs.shape[1], settings.hidden_sizes, 1, activation=activation).initialise(generator)
    if name == "shifted":
        layers = (layer if isinstance(layer, nn.Linear) else Shifted(layer) for layer in network.layers)
        network.layers = nn.Sequential(*layers)
    options = ClassifierOptions(settings.max_epochs, settings.batch_size, rate, optimizer="sgd", loss="log_loss")
    for record in train(network, data, held_out, options, generator):
        if record["val/loss"] <= settings.target_loss:
            return {"epochs": int(record["epoch"]), "reached": 1}
    return {"epochs": settings.max_epochs, "reached": 0}


def judge(rows: list[Row], settings: ZeroCentred) -> Verdict:
    """Apply RULE; the effect is the mean over the learning rates of the epochs saved."""
    epochs = {
        network: np.array([column(rows, "epochs", network=network, learning_rate=r) for r in settings.learning_rates])
        for network in ("centred", "uncentred", "shifted")
    }
    holds = [
        f"{rate:g}"
        for number, rate in enumerate(settings.learning_rates)
        if paired_interval(epochs["uncentred"][number], epochs["centred"][number]).low > 0
    ]
    text = f"holds under learning rate {', '.join(holds)}" if holds else "fails"
    means = {
        network: f"{'' if all(column(rows, 'reached', network=network)) else 'at least '}{values.mean():.1f}"
        for network, values in epochs.items()
    }
    return Verdict(
        "holds" if len(holds) == len(settings.learning_rates) else text,
        f"epochs to a validation loss of {settings.target_loss:g} that {settings.centred} saves against "
        f"{settings.uncentred}, mean over the learning rates",
        *paired_interval(epochs["uncentred"].mean(axis=0), epochs["centred"].mean(axis=0)),
        f"To a validation loss of {settings.target_loss:g} {settings.centred} needs {means['centred']} epochs, "
        f"{settings.uncentred} {means['uncentred']}; {settings.centred} moved off centre, as steep, {means['shifted']}",
    )


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Show every run's epochs and their mean with its interval, against the learning rate."""
    figure, (axes,) = canvas(verdict.finding, width=7.5, height=4.6)
    rates = sorted({row["learning_rate"] for row in rows})
    names = {row["network"]: row["activation"] for row in rows}
    for place, (network, (color, marker)) in enumerate(series(names).items()):
        for number, rate in enumerate(rates):
            epochs, x = column(rows, "epochs", network=network, learning_rate=rate), number + 0.22 * (place - 1)
            mean, low, high = mean_interval(epochs)
            axes.plot([x - 0.05] * len(epochs), epochs, ".", color=color, alpha=0.45)
            label = names[network] if number == 0 else None
            axes.errorbar(
                [x + 0.03], [mean], [[mean - low], [high - mean]], fmt=marker, color=color, capsize=4, label=label
            )
    if any(not row["reached"] for row in rows):
        last = max(row["epochs"] for row in rows)
        axes.axhline(last, color=GREY, linestyle="--", label="target not reached")
    axes.set(xlabel="learning rate", ylabel="epochs to the target loss", yscale="log")
    axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    legend_below(figure, axes)
    return figure
