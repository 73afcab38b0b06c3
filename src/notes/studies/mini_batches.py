"""Why mini-batches train faster: many rough steps bring more than one exact one.

The gradient of a batch is an estimate of the gradient over all data, good enough for a step. The arithmetic of a step
grows with the batch, and so the question is how many samples training must work through before it reaches a given
validation accuracy: for batches of a few digits, and for all of them at once. A large batch bears larger steps, so each
batch size trains at the learning rate that suits it best.

Samples are the multiply-adds to be done, on any machine: each takes as many as every other. What is not measured is how
fast a machine does them: it handles the samples of a large batch faster, one by one, than those of a small one. The
wall times in MLflow show that, and no verdict rests on them.
"""

import math
import time
from functools import partial

import numpy as np
import torch

from notes.data.tasks import load_split
from notes.intervals import mean_interval
from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, as_factor, text_of
from notes.studies.shared.experiment import generator_for, sample
from notes.studies.shared.rates import at_an_end, judged, ratio, run_at_best_rate
from notes.studies.shared.side_by_side import Data, accuracies, descend, shuffled_batches, stack, stack_splits, until

CLAIM = "A network trains faster on mini-batches than on the whole set at once."
NOTES = "8. Multi-class in code: batches; 4. Multi-layer perceptron in code"
RULE = (
    "Faster means fewer samples worked through to the target accuracy. Each batch size, the full batch too, takes the "
    "learning rate with the fewest: geometric mean over the even repetitions; a run that never gets there counts with "
    "all its samples. A size is faster if over the odd repetitions the 95 % interval of the full batch's samples over "
    "its own lies above 1. Holds if every size is, holds only for those that are, fails if none is; unsettled if a "
    "best rate is the first or last of the list. Wall time is not judged."
)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row for each batch size, learning rate and repetition: the work to the target."""
    digits, held_out = (load_split("mnist", name) for name in ("train", "validation"))

    def run(batch_size: int, rate: float, repetitions: list[int]) -> list[Row]:
        data, unseen = (
            stack_splits(sample(split, size, generator_for(seed, n, part)) for n in repetitions)
            for part, (split, size) in enumerate(((digits, settings.rows), (held_out, settings.validation_rows)))
        )
        generators = [generator_for(seed, repetition) for repetition in repetitions]
        return work_to_target(settings, batch_size, rate, data, unseen, generators)

    return [
        row
        for size in [*settings.batch_sizes, settings.rows]
        for row in run_at_best_rate(
            partial(run, size), {"batch_size": size}, settings.learning_rates, settings.repetitions, "samples"
        )
    ]


def work_to_target(
    settings: Settings,
    batch_size: int,
    rate: float,
    data: Data,
    held_out: Data,
    generators: list[torch.Generator],
) -> list[Row]:
    """Train until the validation accuracies, looked at after every epoch, are at the target; count what that took."""
    networks = stack([Mlp(data[0].shape[-1], settings.hidden_sizes, 10).initialise(one) for one in generators])
    batches = shuffled_batches(data, batch_size, epochs=settings.max_epochs, generators=generators)
    updates = descend(networks, batches, make_optimizer(networks, "sgd", rate, momentum=settings.momentum))
    an_epoch, started = math.ceil(settings.rows / batch_size), time.perf_counter()
    runs = until(updates, lambda: accuracies(networks, held_out) >= settings.target_accuracy, every=an_epoch)
    samples = max(run.updates for run in runs) // an_epoch * settings.rows * len(runs)
    seconds = time.perf_counter() - started
    return [
        {
            "updates": run.updates,
            "samples": run.updates // an_epoch * settings.rows,
            "reached": run.reached,
            f"time/batch_{batch_size}_us_a_sample": 1e6 * seconds / samples,
        }
        for run in runs
    ]


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the factor in samples, geometric mean over the mini-batches."""
    *mini, full = ({"batch_size": size} for size in sorted({row["batch_size"] for row in rows}))
    faster = {case["batch_size"]: ratio(rows, "samples", full, case) for case in mini}
    passed = [f"{size}" for size, factor in faster.items() if factor.low > 1]
    text = text_of(passed, list(map(str, faster)), "for batches of")
    if at_an_end(rows, [*mini, full]):
        text = "unsettled"
    gains = [np.log(judged(rows, "samples", full) / judged(rows, "samples", case)) for case in mini]
    small, whole = (
        f"{_mean(rows, 'samples', case):,.0f} samples in {_mean(rows, 'updates', case):.0f} updates"
        for case in (mini[0], full)
    )
    return Verdict(
        text,
        "samples to the target, each at its best rate: the full batch's over the mini-batches', geometric mean",
        *as_factor(mean_interval(np.mean(gains, axis=0))),
        f"To {settings.target_accuracy:.0%} accuracy batches of {mini[0]['batch_size']} work through {small}; "
        f"all {full['batch_size']} at once through {whole}",
    )


def _mean(rows: list[Row], name: str, case: Row) -> float:
    return float(np.exp(np.log(judged(rows, name, case)).mean()))
