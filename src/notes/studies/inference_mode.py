"""What do `model.eval()` and `torch.no_grad()` switch off, and does eval() stop the weights from moving?

They are two switches with nothing in common. `eval()` changes what layers compute: dropout stops zeroing units at
random, and batch normalisation uses the averages it learned instead of those of the batch at hand, and moves them no
further. It knows nothing of gradients: `backward()` and `step()` work as before. `no_grad()` changes no output: it
stops torch from keeping what a backward pass needs, and so there is no gradient to step along.

The study trains a network, then goes on for an epoch under each pair of switches, as a loop would that forgot that it
was to evaluate. It looks at what moved: the weights, and the averages of batch normalisation. And it predicts the same
rows twice, together and in two halves, to see whether a prediction depends on chance and on its company.
"""

import contextlib
import copy
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from notes.data.tasks import Split
from notes.intervals import Interval, mean_interval
from notes.networks.extras import make_optimizer
from notes.networks.losses import log_loss
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier, shuffled_batches, to_tensors
from notes.settings import Settings
from notes.sources.synthetic import make_moons
from notes.studies.shared.base import Row, Verdict, as_factor, column, text_of
from notes.studies.shared.experiment import generator_for, random_for

CLAIM = "model.eval() puts a network into evaluation, where its weights are no longer updated."
NOTES = "8. Multi-class in code: evaluation with model.eval() and torch.no_grad()"
RULE = (
    "A trained network goes on training for an epoch in eval mode. Its weights are no longer updated if in every "
    "repetition not one of them moves. Holds if this is so for every kind of network, holds only for those for which "
    "it is, fails if there is none. What no_grad() does, and what eval() does to predictions, explains and does not "
    "decide."
)
KINDS = {
    "plain": (False, False),
    "dropout": (True, False),
    "batch norm": (False, True),
    "dropout + batch norm": (True, True),
}


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a network and pair of switches: what an epoch of training moves, and how predictions change."""
    rows: list[Row] = []
    for kind in settings.networks:
        for repetition in range(settings.repetitions):
            network, data, held_out = train(settings, kind, seed, repetition)
            for evaluating in (False, True):
                for gradients in (True, False):
                    case = {"network": kind, "repetition": repetition, "eval": evaluating, "gradients": gradients}
                    trial = copy.deepcopy(network).train(evaluating is False)
                    generator = generator_for(seed, repetition, 2)
                    torch.manual_seed(generator.initial_seed())  # dropout draws from torch's global generator
                    with contextlib.nullcontext() if gradients else torch.no_grad():
                        change = {"probability_change": probability_change(copy.deepcopy(trial), held_out)}
                        rows.append(case | change | moves(settings, trial, data, generator))
    return rows


def train(settings: Settings, kind: str, seed: np.random.SeedSequence, repetition: int) -> tuple[Mlp, Split, Split]:
    """Return a network trained on moons, its training rows and the validation rows."""
    random, generator = random_for(seed, repetition), generator_for(seed, repetition)
    data, held_out = (_moons(settings.rows, random) for _ in range(2))
    with_dropout, batch_norm = KINDS[kind]
    network = Mlp(2, settings.hidden_sizes, 1, dropout=settings.dropout if with_dropout else 0.0, batch_norm=batch_norm)
    network.initialise(generator)
    torch.manual_seed(generator_for(seed, repetition, 1).initial_seed())
    options = ClassifierOptions(settings.epochs, settings.batch_size, settings.learning_rate, loss="log_loss")
    for _ in fit_classifier(network, data, None, options, generator=generator):
        pass
    return network, data, held_out


def moves(settings: Settings, network: Mlp, data: Split, generator: torch.Generator) -> Row:
    """Go on training for an epoch, in whatever mode the network is; return the largest moves of what it holds."""
    weights, averages = _all(network.parameters()), _all(network.buffers())
    optimizer = make_optimizer(network, "adam", settings.learning_rate)
    for inputs, labels in shuffled_batches(*to_tensors(data, "cpu"), settings.batch_size, generator):
        loss = log_loss(network(inputs), labels)
        optimizer.zero_grad()
        if loss.requires_grad:  # under no_grad() there is nothing to go back through: backward() would raise
            loss.backward()
        optimizer.step()
    return {
        "largest_move_of_weights": float((_all(network.parameters()) - weights).abs().max()),
        "largest_move_of_averages": float((_all(network.buffers()) - averages).abs().max()),
    }


def probability_change(network: Mlp, data: Split) -> float:
    """Return the mean change of a row's probability between two passes: all rows together, then in two halves."""
    inputs = torch.from_numpy(data.inputs)
    halves = torch.cat([network(half) for half in inputs.chunk(2)])
    together, apart = (torch.sigmoid(one.detach().double()) for one in (network(inputs), halves))
    return float((together - apart).abs().mean())


def _all(tensors: Iterable[Tensor]) -> Tensor:
    # The count of batches that batch normalisation has seen is no average, and none of its tensors is empty.
    parts = [tensor.detach().flatten().double() for tensor in tensors if tensor.is_floating_point()]
    return torch.cat(parts) if parts else torch.zeros(1)


def _moons(rows: int, random: np.random.Generator) -> Split:
    table = make_moons(rows=rows, noise=0.2, generator=random)
    return Split(table[["x1", "x2"]].to_numpy(np.float32, copy=True), table["y"].to_numpy(copy=True))


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is how far the weights move in eval mode, as a share of train mode."""
    still = [kind for kind in settings.networks if moved(rows, kind, evaluating=True).max() == 0]
    moving = [kind for kind in settings.networks if kind not in still]
    share = Interval(0.0, 0.0, 0.0)
    if moving:
        ratios = [np.log(moved(rows, kind, evaluating=True) / moved(rows, kind, evaluating=False)) for kind in moving]
        share = as_factor(mean_interval(np.mean(ratios, axis=0)))
    without = column(rows, "largest_move_of_weights", gradients=False).max()
    change = {
        mode: max(column(rows, "probability_change", network=kind, eval=mode).mean() for kind in settings.networks)
        for mode in (False, True)
    }
    finding = (
        f"An epoch in eval mode moves the weights {share.value:.2f} times as far as one in train mode, under no_grad() "
        f"by {without:.2g}; what eval() stops is chance: predicted twice, a row's probability changes by "
        f"{change[False]:.2g} in train mode and by {change[True]:.1g} in eval mode"
    )
    effect = "largest move of a weight in an epoch in eval mode over that in train mode, geometric mean"
    return Verdict(text_of(still, settings.networks), effect, *share, finding)


def moved(rows: list[Row], kind: str, *, evaluating: bool) -> np.ndarray:
    """Return the largest move of a weight in each repetition, with gradients."""
    return column(rows, "largest_move_of_weights", network=kind, eval=evaluating, gradients=True)
