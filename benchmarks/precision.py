"""bfloat16 against float32: how much faster training gets with the width, and what it costs in accuracy."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from harness import figures, interleaved, own_process, ratio, require_files, spread, table
from notes.files import UserError
from notes.networks.determinism import require_precision
from notes.networks.model_files import predict
from workload import IMAGES, operations_per_image, split, train, training_set

PRECISIONS = ("float32", "bfloat16")
WIDTHS = (128, 512, 1024, 2048)
BATCH_SIZE = 512
WORK = 1.5e11  # floating-point operations of one timed training: one to two seconds
ACCURACY_SIZES = (784, 512, 512, 10)


def measure(quick: bool) -> dict[str, Any]:
    """Measure both precisions at each width in turn; then train the same networks in both and compare on validation."""
    require_files("data/mnist/development/train_images.npy")
    try:
        require_precision("bfloat16", "cpu")
    except UserError as error:
        return {"unsupported": str(error)}
    rounds, epochs, seeds = (2, 1, 2) if quick else (5, 5, 5)
    with own_process() as call:
        speeds = {}
        for width in WIDTHS:
            sizes = (784, width, width, 10)
            images = images_for(sizes)
            variants = {name: partial(call, images_per_second, sizes, name, images) for name in PRECISIONS}
            for name in PRECISIONS:
                call(images_per_second, sizes, name, 2 * BATCH_SIZE)
            measured = interleaved(variants, rounds)
            speeds[str(width)] = measured | {"gain": ratio(measured["bfloat16"], measured["float32"])}
    return {"speeds": speeds, "accuracy": {"epochs": epochs, **compare_accuracy(range(seeds), epochs)}}


def report(result: dict[str, Any]) -> str:
    """Return the section of docs/performance.md."""
    if "unsupported" in result:
        return "This processor has no bfloat16 instructions, so there is nothing to measure: torch would emulate them."
    rows = [
        [f"784-{width}-{width}-10", *(spread(measured[name]) for name in (*PRECISIONS, "gain"))]
        for width, measured in result["speeds"].items()
    ]
    gains = {int(width): measured["gain"]["median"] for width, measured in result["speeds"].items()}
    widest = max(gains, key=lambda width: gains[width])
    slower = [str(width) for width, gain in gains.items() if gain < 1]
    advice = f"It is slower at the width {' and '.join(slower)}. " if slower else ""
    return f"""\
With `precision: bfloat16` a network computes its matrix products in bfloat16 (8 bits of mantissa); weights, gradients
and the optimizer stay in float32. It is off by default. Two hidden layers, batches of {BATCH_SIZE}, Adam, one thread:

{table(["network", "float32, images/s", "bfloat16, images/s", "gain"], rows)}

{advice}The gain is largest at the width {widest}: {figures(gains[widest])} times as many images/s.

{accuracy_cost(result["accuracy"])}"""


def accuracy_cost(cost: dict[str, Any]) -> str:
    """Return the paragraph on what bfloat16 costs."""
    float32, bfloat16 = (f"{100 * np.mean(cost[name]):.2f} %" for name in PRECISIONS)
    difference, low, high = (f"{round(100 * cost[name], 3) + 0.0:+.3f}" for name in ("difference", "low", "high"))
    epochs = "1 epoch" if cost["epochs"] == 1 else f"{cost['epochs']} epochs"
    finding = "a difference that these seeds do not show" if cost["low"] <= 0 <= cost["high"] else "a real difference"
    return f"""\
What it costs: {"-".join(map(str, ACCURACY_SIZES))} was trained on {IMAGES:,} images for {epochs} from
{len(cost["float32"])} seeds in each precision. On validation {float32} are right in float32 and {bfloat16} in bfloat16:
{difference} percentage points, with the 95 % interval (paired t) {low} to {high}; {finding}."""


def images_for(sizes: Sequence[int]) -> int:
    """Return how many images, in whole batches, make up the work of one timed training."""
    batches = round(WORK / operations_per_image(sizes) / BATCH_SIZE)
    return BATCH_SIZE * min(max(batches, 4), IMAGES // BATCH_SIZE)


def images_per_second(sizes: Sequence[int], precision: str, images: int) -> float:
    """Train one epoch and return images/s."""
    return train(sizes, training_set(images), precision=precision, epochs=1, batch_size=BATCH_SIZE)[0]


def compare_accuracy(seeds: Sequence[int], epochs: int) -> dict[str, Any]:
    """Return validation accuracies a seed in both precisions, and the mean difference with its 95 % t interval."""
    accuracies: dict[str, list[float]] = {name: [] for name in PRECISIONS}
    with own_process() as call:
        for seed in seeds:
            for name in PRECISIONS:
                accuracies[name].append(call(validation_accuracy, name, seed, epochs))
            latest = ", ".join(f"{name} {accuracies[name][-1]:.4f}" for name in PRECISIONS)
            print(f"  seed {seed}: {latest}", flush=True)
    from scipy import stats  # takes a second, and the page needs none of it

    differences = np.subtract(accuracies["bfloat16"], accuracies["float32"])
    error = differences.std(ddof=1) / math.sqrt(len(differences))
    reach = float(stats.t.ppf(0.975, len(differences) - 1) * error)
    mean = float(differences.mean())
    return {**accuracies, "difference": mean, "low": mean - reach, "high": mean + reach}


def validation_accuracy(precision: str, seed: int, epochs: int) -> float:
    """Train in a precision and return the share of the validation images that the network gets right, in float32."""
    _, network = train(
        ACCURACY_SIZES, training_set(), seed=seed, precision=precision, epochs=epochs, batch_size=BATCH_SIZE
    )
    held_out = split("validation")
    return float((predict(network, held_out.inputs).argmax(axis=1) == held_out.targets).mean())
