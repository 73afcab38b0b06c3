"""What do `model.eval()` and `torch.no_grad()` do at inference, and does every model need them?

They are two switches with nothing in common. `eval()` changes what layers compute: dropout stops zeroing units at
random, and batch normalisation uses the averages it learned instead of those of the batch at hand. Without it the
same picture gets another answer each time, or in other company, and batch normalisation's averages move with the very
data the model is asked about. `no_grad()` changes no output: it stops torch from keeping the intermediate results
that a backward pass would need.

What is kept is counted in bytes, by a hook on every tensor that autograd saves. The parameters and the inputs exist
anyway and are not counted. That is the memory that grows with the batch, and it repeats exactly, where a clock does
not.
"""

import contextlib
import copy
import time

import numpy as np
import torch
from torch import Tensor

from notes.data.tasks import Split
from notes.intervals import mean_interval
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier
from notes.settings import Settings
from notes.sources.synthetic import make_moons
from notes.studies.shared.base import Row, Verdict, column

CLAIM = "Inference needs both: eval(), or the predictions change, and no_grad(), or memory is wasted."
NOTES = "8. Multi-class in code: evaluation with model.eval() and torch.no_grad()"
RULE = (
    "The change is the mean absolute difference of a row's predicted probability between two passes: all rows "
    "together, then in two halves. A kind of network needs eval() if the 95 % interval of the change without eval() "
    "lies above `smallest_change` and with eval() it never exceeds it; it needs no_grad() if a pass with gradients "
    "keeps bytes for the backward pass and one without keeps none, in every repetition. Holds if every kind needs "
    "both, holds under those that do, fails if none does."
)
KINDS = {
    "plain": (False, False),
    "dropout": (True, False),
    "batch norm": (False, True),
    "dropout + batch norm": (True, True),
}


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a network and pair of switches: how its predictions change, and what a pass keeps."""
    rows: list[Row] = []
    for kind in settings.networks:
        for repetition in range(settings.repetitions):
            network, held_out = train(settings, kind, generator_seed + repetition)
            for evaluating in (False, True):
                for gradients in (True, False):
                    # A pass in train mode moves the averages of batch normalisation: each one gets a copy.
                    trial = copy.deepcopy(network).train(not evaluating)
                    torch.manual_seed(generator_seed + repetition)  # dropout draws from torch's global generator
                    with contextlib.nullcontext() if gradients else torch.no_grad():
                        rows.append(
                            {"network": kind, "repetition": repetition, "eval": evaluating, "gradients": gradients}
                            | observe(trial, held_out)
                        )
    return rows


def train(settings: Settings, kind: str, seed: int) -> tuple[Mlp, Split]:
    """Return a network trained on moons, and the validation rows."""
    random = np.random.default_rng(seed)
    data, held_out = (_moons(settings.rows, random) for _ in range(2))
    with_dropout, batch_norm = KINDS[kind]
    network = Mlp(2, settings.hidden_sizes, 1, dropout=settings.dropout if with_dropout else 0.0, batch_norm=batch_norm)
    generator = torch.Generator().manual_seed(seed)
    network.initialise(generator)
    torch.manual_seed(seed)
    options = ClassifierOptions(settings.epochs, settings.batch_size, settings.learning_rate, loss="log_loss")
    for _ in fit_classifier(network, data, held_out, options, generator=generator):
        pass
    return network, held_out


def observe(network: Mlp, data: Split) -> Row:
    """Return what passes through the network show, in whatever mode it is and with or without gradients."""
    inputs = torch.from_numpy(data.inputs)
    averages = torch.cat([buffer.flatten().double() for buffer in network.buffers()] or [torch.zeros(1)]).clone()
    started = time.perf_counter()
    kept, logits = bytes_kept(network, inputs)
    seconds = time.perf_counter() - started
    halves = torch.cat([network(half) for half in inputs.chunk(2)])
    together, apart = (torch.sigmoid(one.detach().double().squeeze(1)) for one in (logits, halves))
    moved = torch.cat([buffer.flatten().double() for buffer in network.buffers()] or [torch.zeros(1)]) - averages
    return {
        "probability_change": float((together - apart).abs().mean()),
        "accuracy": float(((together > 0.5).numpy() == data.targets).mean()),
        "largest_move_of_buffers": float(moved.abs().max()),
        "bytes_kept": kept,
        "rows": len(inputs),
        "time/forward_s": seconds,
    }


def bytes_kept(network: Mlp, inputs: Tensor) -> tuple[int, Tensor]:
    """Return the bytes that a forward pass keeps for the backward pass, parameters and inputs aside, and its output."""
    there_anyway = {
        tensor.untyped_storage().data_ptr() for tensor in (inputs, *network.parameters(), *network.buffers())
    }
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in there_anyway:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        output = network(inputs)
    return sum(kept.values()), output


def _moons(rows: int, random: np.random.Generator) -> Split:
    table = make_moons(rows=rows, noise=0.2, generator=random)
    return Split(table[["x1", "x2"]].to_numpy(np.float32, copy=True), table["y"].to_numpy(copy=True))


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE."""
    change = {
        kind: mean_interval(column(rows, "probability_change", network=kind, eval=False, gradients=False))
        for kind in settings.networks
    }
    needing = [
        kind
        for kind in settings.networks
        if change[kind].low > settings.smallest_change
        and column(rows, "probability_change", network=kind, eval=True).max() <= settings.smallest_change
        and column(rows, "bytes_kept", network=kind, gradients=True).min() > 0
        and column(rows, "bytes_kept", network=kind, gradients=False).max() == 0
    ]
    whole = len(needing) == len(settings.networks)
    text = "holds" if whole else f"holds under {', '.join(needing)}" if needing else "fails"
    largest = max(settings.networks, key=lambda kind: change[kind].value)
    kept = column(rows, "bytes_kept", gradients=True, eval=True) / settings.rows
    moves = [f"{change[kind].value:.2g} ({kind})" for kind in settings.networks]
    kept_without = column(rows, "bytes_kept", gradients=False).max()
    finding = (
        f"Without eval() two passes give a row probabilities that differ by {', '.join(moves)}; "
        f"without no_grad() a pass keeps {kept.min():,.0f} to {kept.max():,.0f} bytes a row, with it {kept_without:.0f}"
    )
    effect = f"mean change of a row's probability between two passes without eval(), {largest}"
    return Verdict(text, effect, *change[largest], finding)
