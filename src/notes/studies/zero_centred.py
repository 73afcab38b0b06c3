"""Does tanh learn faster than sigmoid, and is it because its outputs are centred on zero?

Sigmoid's outputs are all positive. Then the gradients of all weights into one unit of the next layer have the same
sign, and the descent zigzags (LeCun et al., Efficient BackProp, 1998). Tanh is the same curve stretched and centred:
tanh(x) = 2·sigmoid(2x) - 1. So it differs in two ways: the mean of its outputs, and a slope four times as steep.

The study trains both from the same weights and counts the updates to a given validation loss, each at the learning rate
that suits it best: a flat activation bears, and needs, larger steps than a steep one. A third network takes the two
causes apart: tanh(x) + 1 has tanh's slope and no zero mean.
"""

import numpy as np
import torch
from torch import Tensor, nn

from notes.data.tasks import Split, load_split
from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict
from notes.studies.shared.experiment import generator_for
from notes.studies.shared.rates import at_an_end, best_rate, judged, ratio, run_at_best_rate
from notes.studies.shared.side_by_side import Reached, descend, for_all, losses, shuffled_batches, stack, until

CLAIM = "Tanh, whose outputs are centred on zero, converges faster than sigmoid."
NOTES = "2. Activation functions"
RULE = (
    "Each network takes the learning rate with the fewest updates to the target loss: geometric mean over the even "
    "repetitions; a run that never gets there counts with all its updates. Holds if over the odd repetitions the "
    "95 % interval of sigmoid's updates over tanh's lies above 1, fails otherwise; unsettled if a best rate is the "
    "first or last of the list. The shifted tanh explains and does not decide."
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
    """Return a row for each network, learning rate and repetition: the updates to the target, and if it was reached."""
    data, held_out = (load_split("moons", name) for name in ("train", "validation"))
    rows: list[Row] = []
    for network, name in names(settings).items():

        def run(rate: float, repetitions: list[int], network: str = network) -> list[Row]:
            generators = [generator_for(seed, repetition) for repetition in repetitions]
            return [one._asdict() for one in updates_to_target(settings, network, rate, data, held_out, generators)]

        case = {"network": network, "activation": name}
        rows += run_at_best_rate(run, case, settings.learning_rates, settings.repetitions, "updates")
    return rows


def names(settings: Settings) -> dict[str, str]:
    """Return the activation of each network as a legend names it."""
    shifted = f"{settings.centred} + 1: as steep, not centred"
    return {"centred": settings.centred, "uncentred": settings.uncentred, "shifted": shifted}


def updates_to_target(
    settings: Settings,
    name: str,
    rate: float,
    data: Split,
    held_out: Split,
    generators: list[torch.Generator],
) -> list[Reached]:
    """Train until the validation losses are at the target; equal generators give each network the same start."""
    activation = settings.uncentred if name == "uncentred" else settings.centred
    networks = [Mlp(2, settings.hidden_sizes, 1, activation=activation).initialise(one) for one in generators]
    for network in networks if name == "shifted" else []:
        layers = (layer if isinstance(layer, nn.Linear) else Shifted(layer) for layer in network.layers)
        network.layers = nn.Sequential(*layers)
    together, points, unseen = stack(networks), for_all(data, len(networks)), for_all(held_out, len(networks))
    batches = shuffled_batches(points, settings.batch_size, epochs=settings.max_epochs, generators=generators)
    updates = descend(together, batches, make_optimizer(together, "sgd", rate, momentum=settings.momentum))
    return until(updates, lambda: losses(together, unseen) <= settings.target_loss)


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is how many times as many updates the uncentred activation takes."""
    cases = {network: {"network": network} for network in names(settings)}
    slower = ratio(rows, "updates", cases["uncentred"], cases["centred"])
    text = "holds" if slower.low > 1 else "fails"
    if at_an_end(rows, [cases["centred"], cases["uncentred"]]):
        text = "unsettled"
    found = {network: _described(rows, case) for network, case in cases.items()}
    return Verdict(
        text,
        f"updates to a validation loss of {settings.target_loss:g}, each at its best rate: {settings.uncentred} over "
        f"{settings.centred}",
        *slower,
        f"To a validation loss of {settings.target_loss:g} {settings.centred} needs {found['centred']}, "
        f"{settings.uncentred} {found['uncentred']}; {settings.centred} moved off centre, as steep, {found['shifted']}",
    )


def _described(rows: list[Row], case: dict[str, str]) -> str:
    updates, reached = (judged(rows, name, case) for name in ("updates", "reached"))
    least = "" if reached.all() else "at least "
    return f"{least}{np.exp(np.log(updates).mean()):.0f} updates at learning rate {best_rate(rows, 'updates', case):g}"
