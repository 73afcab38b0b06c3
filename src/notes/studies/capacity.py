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
from notes.networks.mlp import ClassifierOptions, Mlp, evaluate, log_loss
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column
from notes.studies.shared.experiment import generator_for, sample, train

CLAIM = "More width and depth is not always better: a network that is too large over-fits, one too small under-fits."
NOTES = "1. Principle of a neural network"
RULE = (
    "The best cell of the grid is the one with the lowest mean validation error over the even repetitions. Over the "
    "odd repetitions the claim holds if the 95 % intervals of the paired differences in validation error, largest "
    "cell minus best and smallest cell minus best, both lie above zero; 'holds under' over-fitting or under-fitting "
    "if one of them does; it fails if neither does."
)


def measure(settings: Settings, generator_seed: int) -> list[Row]:
    """Return a row for each width, depth and repetition: the errors in percent at the end of training."""
    data, held_out = load_split("moons", "train"), load_split("moons", "validation")
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        noisy = small_noisy_set(data, settings, generator_for(generator_seed, repetition))
        for depth in settings.depths:
            for width in settings.widths:
                generator = generator_for(generator_seed, repetition, depth, width)
                network = Mlp(data.inputs.shape[1], [width] * depth, 1).initialise(generator)
                options = ClassifierOptions(
                    settings.epochs, len(noisy.targets), settings.learning_rate, loss="log_loss"
                )
                errors = errors_after_training(network, noisy, held_out, options, generator)
                rows.append({"width": width, "depth": depth, "repetition": repetition} | errors)
    return rows


def small_noisy_set(data: Split, settings: Settings, generator: torch.Generator) -> Split:
    """Return a few random rows, each label flipped with the probability `label_noise`."""
    few = sample(data, settings.rows, generator)
    flipped = (torch.rand(len(few.targets), generator=generator) < settings.label_noise).numpy()
    return Split(few.inputs, np.where(flipped, 1 - few.targets, few.targets))


def errors_after_training(
    network: Mlp, data: Split, held_out: Split, options: ClassifierOptions, generator: torch.Generator
) -> Row:
    """Train to the last epoch and return both errors there: the best epoch, which is kept, would hide over-fitting."""
    inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.targets)
    validation_error = train_error = 50.0  # of a network that diverged
    for record in train(network, data, held_out, options, generator):
        if record["epoch"] == options.epochs:
            train_error = 100 * (1 - evaluate(network, inputs, labels, log_loss)[1])
            validation_error = 100 * (1 - record["val/accuracy"])
    return {"train_error": train_error, "validation_error": validation_error}


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the error of the largest cell beyond the best one's, where it was not chosen."""
    best, judging = best_cell(rows), half(rows, 1)
    largest, smallest = max(_cells(rows)), min(_cells(rows))
    over = paired_interval(errors_of(judging, largest), errors_of(judging, best))
    under = paired_interval(errors_of(judging, smallest), errors_of(judging, best))
    found = [name for name, interval in (("over-fitting", over), ("under-fitting", under)) if interval.low > 0]
    text = "holds" if len(found) == 2 else f"holds under {found[0]} alone" if found else "fails"
    errors = {cell: errors_of(judging, cell).mean() for cell in (best, largest, smallest)}
    trained = errors_of(judging, largest, "train_error").mean()
    return Verdict(
        text,
        "validation error of the largest network beyond the best one's, percentage points",
        *over,
        f"Validation error: {errors[best]:.1f} % with {_name(best)}, the best; {errors[largest]:.1f} % with "
        f"{_name(largest)} ({trained:.1f} % in training); {errors[smallest]:.1f} % with {_name(smallest)}",
    )


def best_cell(rows: list[Row]) -> tuple[int, int]:
    """Return depth and width of the cell with the lowest mean validation error over the even repetitions."""
    return min(_cells(rows), key=lambda cell: errors_of(half(rows, 0), cell).mean())


def half(rows: list[Row], odd: int) -> list[Row]:
    return [row for row in rows if row["repetition"] % 2 == odd]


def _cells(rows: list[Row]) -> list[tuple[int, int]]:
    return list(dict.fromkeys((row["depth"], row["width"]) for row in rows))


def errors_of(rows: list[Row], cell: tuple[int, int], name: str = "validation_error") -> np.ndarray:
    return column(rows, name, depth=cell[0], width=cell[1])


def _name(cell: tuple[int, int]) -> str:
    return f"{cell[0]} layer{'s' * (cell[0] > 1)} of {cell[1]} unit{'s' * (cell[1] > 1)}"
