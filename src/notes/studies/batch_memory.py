"""How much memory do batches save, and what do they cost?

To go backward a network remembers what came into each layer on the way forward, for every row of the batch: twice the
rows, twice the bytes. But training also holds the weights, their gradients, and for Adam two averages of them, and
these are there whatever the batch. So batches save a lot while the rows outweigh the weights, and nothing more once
they do not. (Where the data itself does not fit into memory, there is no choice: that case needs no experiment.)

The study counts, through a hook of autograd, the bytes that it keeps for the backward pass, adds those of weights,
gradients and averages, and trains the same network in batches of several sizes for the same number of epochs. Each size
takes the learning rate that is best for it on one part of the validation digits; another part compares the accuracies.
"""

from itertools import product

import numpy as np
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional

from notes.data.tasks import Split, load_split
from notes.intervals import Interval, mean_interval, paired_interval
from notes.networks.mlp import ClassifierOptions, Mlp, evaluate, fit_classifier, to_tensors
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.shared.experiment import generator_for, sample

CLAIM = "Batches save memory."
NOTES = "4. Multi-layer perceptron in code; 8. Multi-class in code"
RULE = (
    "A batch size saves memory if weights, gradients, Adam's averages and what autograd keeps are together at most "
    "nine tenths of what they are with all rows at once. It costs accuracy if after the same number of epochs the low "
    "end of the 95 % interval of accuracy with all rows at once, minus its own, paired, is above `tolerance`. Holds "
    "if every batch size saves memory and costs no accuracy, holds only for those that do, fails if none does."
)
COPIES = 4  # weights, gradients, and the two averages of Adam


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a repetition, batch size and learning rate: bytes, and accuracy on the two validation parts."""
    digits, held_out = load_split("mnist", "train"), load_split("mnist", "validation")
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        generator = generator_for(seed, repetition)
        data = sample(digits, settings.rows, generator)
        new = sample(held_out, 2 * settings.validation_rows, generator)
        for size, rate in product([*settings.batch_sizes, settings.rows], settings.learning_rates):
            generator = generator_for(seed, repetition, 1)
            network = Mlp(data.inputs.shape[1], settings.hidden_sizes, 10).initialise(generator)
            kept = bytes_kept(network, *to_tensors(Split(data.inputs[:size], data.targets[:size]), "cpu"))
            options = ClassifierOptions(settings.epochs, size, rate)
            for _ in fit_classifier(network, data, None, options, generator=generator):
                pass
            inputs, labels = to_tensors(new, "cpu")
            chosen, judged = (
                100 * evaluate(network, *part, functional.cross_entropy)[1]
                for part in zip(inputs.chunk(2), labels.chunk(2), strict=True)
            )
            row: Row = {"batch_size": size, "learning_rate": rate, "repetition": repetition}
            rows.append(
                row
                | {"bytes_kept": kept, "bytes_of_weights": COPIES * bytes_of_weights(network)}
                | {"accuracy_to_choose": chosen, "accuracy": judged}
            )
    return rows


def bytes_kept(network: Mlp, inputs: Tensor, labels: Tensor) -> int:
    """Return the bytes that autograd keeps of the forward pass, the parameters not counted; two views count once."""
    parameters = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = functional.cross_entropy(network(inputs), labels)
    del loss  # lived so far, so that no address was given out twice
    return sum(size for address, size in kept.items() if address not in parameters)


def bytes_of_weights(network: Mlp) -> int:
    """Return the bytes of all parameters."""
    return sum(parameter.nbytes for parameter in network.parameters())


def at_best_rate(rows: list[Row], size: int, name: str) -> np.ndarray:
    """Return a column over the repetitions at the learning rate with the best accuracy on the part that chooses."""
    rates: list[float] = sorted({row["learning_rate"] for row in rows})
    case = {"batch_size": size}
    best = max(rates, key=lambda r: float(column(rows, "accuracy_to_choose", **case, learning_rate=r).mean()))
    return column(rows, name, **case, learning_rate=best)


def total_bytes(rows: list[Row], size: int) -> float:
    """Return the largest sum of bytes."""
    return float((at_best_rate(rows, size, "bytes_kept") + at_best_rate(rows, size, "bytes_of_weights")).max())


def lost_accuracy(rows: list[Row], size: int) -> Interval:
    """Return the accuracy with all rows at once minus that with a batch size, percentage points."""
    everything = max(row["batch_size"] for row in rows)
    return paired_interval(at_best_rate(rows, everything, "accuracy"), at_best_rate(rows, size, "accuracy"))


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is what the smallest batch loses in accuracy."""
    full = total_bytes(rows, settings.rows)
    saving = [
        f"{size}"
        for size in settings.batch_sizes
        if total_bytes(rows, size) <= 0.9 * full and not lost_accuracy(rows, size).low > settings.tolerance
    ]
    text = f"holds only for batches of {', '.join(saving)}" if saving else "fails"
    smallest = min(settings.batch_sizes)
    weights = at_best_rate(rows, smallest, "bytes_of_weights").max()
    accuracies = [
        f"{mean_interval(at_best_rate(rows, size, 'accuracy')).value:.0f} %" for size in (smallest, settings.rows)
    ]
    return Verdict(
        "holds" if len(saving) == len(settings.batch_sizes) else text,
        f"accuracy that batches of {smallest} lose against all rows at once, percentage points",
        *lost_accuracy(rows, smallest),
        f"Training takes {total_bytes(rows, smallest) / 1e6:.2f} MB in batches of {smallest} and {full / 1e6:.2f} MB "
        f"with all {settings.rows} rows at once, {weights / 1e6:.2f} MB of it for weights in any case; after "
        f"{settings.epochs} epochs {accuracies[0]} right against {accuracies[1]}",
    )
