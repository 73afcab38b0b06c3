"""Is a larger network a better one? Width and depth are capacity: what a network can learn, noise included.

A network that is too small can not follow the shape of the data (it under-fits). One that is large enough to pass
through every point of a small noisy set learns the noise by heart: its training error falls to zero while the error on
new data rises (it over-fits).

The study trains a grid of widths and depths on a few rows of the two moons, some of whose labels are flipped. Each
repetition is a new small data set. The best network is chosen on one half of the repetitions and judged on the other:
a winner that is judged by the numbers that made it win looks better than it is.
"""

import numpy as np
import torch

from notes.data.tasks import Split, load_split
from notes.intervals import paired_interval
from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, choosing, column, judging, text_of
from notes.studies.shared.experiment import generator_for, sample
from notes.studies.shared.side_by_side import accuracies, descend, for_all, shuffled_batches, stack, stack_splits

CLAIM = "More width and depth is not always better: a network that is too large over-fits, one too small under-fits."
NOTES = "1. Principle of a neural network"
RULE = (
    "The best cell of the grid is the one with the lowest mean validation error over the even repetitions. Over the "
    "odd ones the errors of the largest and of the smallest cell are compared with the best one's. Holds if the 95 % "
    "intervals of both paired differences lie above zero, holds only for networks too large, or too small, if one "
    "does, fails if neither does."
)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row for each width, depth and repetition: the errors in percent at the end of training."""
    data, held_out = load_split("moons", "train"), load_split("moons", "validation")
    repetitions = range(settings.repetitions)
    noisy = [small_noisy_set(data, settings, generator_for(seed, repetition)) for repetition in repetitions]
    rows: list[Row] = []
    for depth in settings.depths:
        for width in settings.widths:
            generators = [generator_for(seed, repetition, depth, width) for repetition in repetitions]
            errors = errors_after_training(settings, [width] * depth, noisy, held_out, generators)
            cell = {"width": width, "depth": depth}
            rows += [cell | {"repetition": repetition} | error for repetition, error in enumerate(errors)]
    return rows


def small_noisy_set(data: Split, settings: Settings, generator: torch.Generator) -> Split:
    """Return a few random rows, each label flipped with the probability `label_noise`."""
    few = sample(data, settings.rows, generator)
    flipped = (torch.rand(len(few.targets), generator=generator) < settings.label_noise).numpy()
    return Split(few.inputs, np.where(flipped, 1 - few.targets, few.targets))


def errors_after_training(
    settings: Settings, hidden_sizes: list[int], sets: list[Split], held_out: Split, generators: list[torch.Generator]
) -> list[Row]:
    """Train a network on each set to the last epoch and return its errors there: no best epoch hides over-fitting."""
    networks = stack([Mlp(2, hidden_sizes, 1).initialise(generator) for generator in generators])
    data, unseen = stack_splits(sets), for_all(held_out, len(sets))
    batches = shuffled_batches(data, settings.rows, epochs=settings.epochs, generators=generators)
    for _ in descend(networks, batches, make_optimizer(networks, "adam", settings.learning_rate)):
        pass
    train_error, validation_error = ((100 * (1 - accuracies(networks, part))).tolist() for part in (data, unseen))
    return [
        {"train_error": train, "validation_error": validation}
        for train, validation in zip(train_error, validation_error, strict=True)
    ]


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the error of the largest cell beyond the best one's, where it was not chosen."""
    best, odd = best_cell(rows), judging(rows)
    largest, smallest = max(_cells(rows)), min(_cells(rows))
    over = paired_interval(errors_of(odd, largest), errors_of(odd, best))
    under = paired_interval(errors_of(odd, smallest), errors_of(odd, best))
    cases = {"networks too large": over, "networks too small": under}
    errors = {cell: errors_of(odd, cell).mean() for cell in (best, largest, smallest)}
    trained = errors_of(odd, largest, "train_error").mean()
    return Verdict(
        text_of([name for name, interval in cases.items() if interval.low > 0], list(cases)),
        "validation error of the largest network beyond the best one's, percentage points",
        *over,
        f"Validation error: {errors[best]:.1f} % with {_name(best)}, the best; {errors[largest]:.1f} % with "
        f"{_name(largest)} ({trained:.1f} % in training); {errors[smallest]:.1f} % with {_name(smallest)}",
    )


def best_cell(rows: list[Row]) -> tuple[int, int]:
    """Return depth and width of the cell with the lowest mean validation error over the even repetitions."""
    return min(_cells(rows), key=lambda cell: errors_of(choosing(rows), cell).mean())


def _cells(rows: list[Row]) -> list[tuple[int, int]]:
    return list(dict.fromkeys((row["depth"], row["width"]) for row in rows))


def errors_of(rows: list[Row], cell: tuple[int, int], name: str = "validation_error") -> np.ndarray:
    return column(rows, name, depth=cell[0], width=cell[1])


def _name(cell: tuple[int, int]) -> str:
    return f"{cell[0]} layer{'s' * (cell[0] > 1)} of {cell[1]} unit{'s' * (cell[1] > 1)}"
