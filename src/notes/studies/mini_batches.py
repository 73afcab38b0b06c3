"""Why training takes the data in batches: memory, and more steps for the same work.

To go backward, a network must remember what it computed on the way forward: for every sample of the batch. So memory
grows with the batch. The gradient of a batch is an estimate of the gradient over all data, good enough for a step: many
rough steps bring more than one exact one that looked at the same number of samples.

The study counts, for batches from a few digits to all of them, the bytes that autograd holds for the backward pass, and
the samples that training must look at before it reaches a given validation accuracy. Samples stand for time because
they are the arithmetic to be done, on any machine; a small batch does them less efficiently, which the wall times in
MLflow show. Every batch size may choose its own best learning rate: a large batch bears larger steps.
"""

import time

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional

from notes.data.tasks import Split, load_split
from notes.intervals import mean_interval
from notes.networks.mlp import ClassifierOptions, Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.shared.experiment import generator_for, sample, train

CLAIM = "Mini-batches use less memory than the whole set at once, and train faster."
NOTES = "4. Multi-layer perceptron in code; 8. Multi-class in code"
RULE = (
    "Each batch size, the full batch too, takes the learning rate with which it needs the fewest samples on average; "
    "a run that does not reach the target counts as its last epoch. A size is better if autograd holds fewer bytes "
    "for it than for the full batch, and the 95 % interval of log(samples of the full batch / its samples), paired, "
    "lies above zero. The claim holds if every mini-batch is better, 'holds under' the sizes that are, and fails if "
    "none is."
)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row for each batch size, learning rate and repetition: bytes held, and the work to the target."""
    digits, held_out = load_split("mnist", "train"), load_split("mnist", "validation")
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        generator = generator_for(seed, repetition)
        data = sample(digits, settings.rows, generator)
        validation = sample(held_out, settings.validation_rows, generator)
        for batch_size in [*settings.batch_sizes, len(data.targets)]:
            for rate in settings.learning_rates:
                case = {"batch_size": batch_size, "learning_rate": rate, "repetition": repetition}
                generator = generator_for(seed, repetition, 1)  # the same weights at the start
                rows.append(case | samples_to_target(settings, batch_size, rate, data, validation, generator))
    return rows


def samples_to_target(
    settings: Settings, batch_size: int, rate: float, data: Split, held_out: Split, generator: torch.Generator
) -> Row:
    """Train until the validation accuracy is at the target and count what that took."""
    network = Mlp(data.inputs.shape[1], settings.hidden_sizes, 10).initialise(generator)
    batch = torch.from_numpy(data.inputs[:batch_size].copy()), torch.from_numpy(data.targets[:batch_size])
    held = bytes_held(network, *batch)
    options = ClassifierOptions(settings.max_epochs, batch_size, rate, optimizer="sgd", momentum=settings.momentum)
    started, epochs, reached = time.perf_counter(), settings.max_epochs, 0
    for record in train(network, data, held_out, options, generator):
        if record["val/accuracy"] >= settings.target_accuracy:
            epochs, reached = int(record["epoch"]), 1
            break
    seconds = time.perf_counter() - started
    updates = epochs * -(-len(data.targets) // batch_size)
    counted = {"bytes_held": held, "epochs": epochs, "updates": updates, "samples": epochs * len(data.targets)}
    return counted | {"reached": reached, f"time/batch_{batch_size}_s": seconds}


def bytes_held(network: Mlp, inputs: Tensor, labels: Tensor) -> int:
    """Return the bytes that autograd keeps from the forward pass for the backward pass, parameters not counted."""
    parameters = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    held: dict[int, int] = {}

    def remember(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:  # two views of one tensor are held once
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(remember, lambda tensor: tensor):
        # While `loss` lives its graph does, and no address is given to a second tensor.
        loss = functional.cross_entropy(network(inputs), labels)
    del loss
    return sum(held.values())


def at_best_rate(rows: list[Row], batch_size: int, name: str) -> np.ndarray:
    """Return a column over the repetitions at the learning rate with which the batch size needs the fewest samples."""
    rates = {row["learning_rate"] for row in rows}
    best = min(sorted(rates), key=lambda r: column(rows, "samples", batch_size=batch_size, learning_rate=r).mean())
    return column(rows, name, batch_size=batch_size, learning_rate=best)


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the factor in samples, geometric mean over the mini-batches, memory in the finding."""
    *mini, full = sorted({row["batch_size"] for row in rows})
    gains = {size: np.log(at_best_rate(rows, full, "samples") / at_best_rate(rows, size, "samples")) for size in mini}
    memory = {size: at_best_rate(rows, size, "bytes_held").max() for size in [*mini, full]}
    better = [str(size) for size in mini if memory[size] < memory[full] and mean_interval(gains[size]).low > 0]
    text = f"holds under batches of {', '.join(better)}" if better else "fails"
    value, low, high = np.exp(mean_interval(np.mean(list(gains.values()), axis=0)))
    middle = mini[len(mini) // 2]
    epochs = {size: at_best_rate(rows, size, "epochs").mean() for size in (middle, full)}
    return Verdict(
        "holds" if len(better) == len(mini) else text,
        "samples to the target: the full batch's over the mini-batches', geometric mean, a factor",
        float(value),
        float(low),
        float(high),
        f"Batches of {middle} hold {memory[middle] / 1e6:.2f} MB and reach {settings.target_accuracy:.0%} in "
        f"{epochs[middle]:.1f} epochs; all {full:,} at once hold {memory[full] / 1e6:.1f} MB and need "
        f"{epochs[full]:.1f}",
    )
