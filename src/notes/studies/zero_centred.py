"""Does tanh learn faster than sigmoid, and is it because its outputs are centred on zero?

Sigmoid's outputs are all positive. Then the gradients of all weights into one unit of the next layer have the same
sign, and the descent zigzags (LeCun et al., Efficient BackProp, 1998). Tanh is the same curve stretched and centred:
tanh(x) = 2·sigmoid(2x) - 1. So it differs in two ways: the mean of its outputs, and a slope four times as steep.

The study trains both from the same weights and counts the epochs to a given validation loss, at several learning rates.
A third network takes the two causes apart: tanh(x) + 1 has tanh's slope and no zero mean.
"""

import numpy as np
import torch
from torch import Tensor, nn

from notes.data.tasks import Split, load_split
from notes.intervals import paired_interval
from notes.networks.mlp import ClassifierOptions, Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.shared.experiment import generator_for, train

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


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row for each network, learning rate and repetition: the epochs to the target, and if it was reached."""
    data, held_out = load_split("moons", "train"), load_split("moons", "validation")
    networks = {
        "centred": settings.centred,
        "uncentred": settings.uncentred,
        "shifted": f"{settings.centred} + 1: as steep, not centred",
    }
    return [
        {"network": network, "activation": name, "learning_rate": rate, "repetition": repetition}
        | epochs_to_target(settings, network, rate, data, held_out, generator_for(seed, repetition))
        for network, name in networks.items()
        for rate in settings.learning_rates
        for repetition in range(settings.repetitions)
    ]


def epochs_to_target(
    settings: Settings, name: str, rate: float, data: Split, held_out: Split, generator: torch.Generator
) -> Row:
    """Train until the validation loss is at the target; the same generator gives each network the same start."""
    activation = settings.uncentred if name == "uncentred" else settings.centred
    network = Mlp(data.inputs.shape[1], settings.hidden_sizes, 1, activation=activation).initialise(generator)
    if name == "shifted":
        layers = (layer if isinstance(layer, nn.Linear) else Shifted(layer) for layer in network.layers)
        network.layers = nn.Sequential(*layers)
    options = ClassifierOptions(
        settings.max_epochs, settings.batch_size, rate, optimizer="sgd", momentum=settings.momentum, loss="log_loss"
    )
    for record in train(network, data, held_out, options, generator):
        if record["val/loss"] <= settings.target_loss:
            return {"epochs": int(record["epoch"]), "reached": 1}
    return {"epochs": settings.max_epochs, "reached": 0}


def judge(rows: list[Row], settings: Settings) -> Verdict:
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
