"""The training loop over a memory-mapped set of ever more images, against the 60,000 that fit into memory."""

import os
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from harness import (
    ROOT,
    figures,
    interleaved,
    own_process,
    peak_memory,
    ratio,
    require_files,
    spread,
    summarise,
    table,
    target,
    targets_table,
)
from memory_mapped import IMAGES, LABELS, MemoryMappedImages, make_augmented_set
from notes.data.tasks import Split
from notes.files import UserError
from notes.networks.extras import make_optimizer
from notes.networks.losses import make_criterion
from notes.networks.mlp import train_epoch
from notes.networks.steps import write_out
from notes.sources.mnist import read_idx
from workload import LEARNING_RATE, start, train

SIZES, QUICK_SIZES, LARGE = (60_000, 600_000), (60_000, 120_000), 8_100_000
NETWORK, BATCH_SIZE = (784, 128, 64, 10), 64
IN_MEMORY = "60,000 in memory"
FOLDER = "data/augmented"
ORIGINALS = ("data/raw/train-images-idx3-ubyte", "data/raw/train-labels-idx1-ubyte")
# Gentle distortions; what they are does not matter for the time.
STRENGTHS = SimpleNamespace(
    rotation=10.0, scale=0.1, shear=0.1, translation=1.0, elastic_displacement=1.0, elastic_smoothness=4.0
)


def measure(quick: bool, large: bool = False) -> dict[str, Any]:
    """Make the sets that are missing, then train one epoch of each in turn; the memory is each process's peak."""
    require_files(*ORIGINALS)
    sizes = [*(QUICK_SIZES if quick else SIZES), *([LARGE] if large else [])]
    with own_process() as call:
        for size in sizes:
            call(make_set, size)
    biggest = f"{max(sizes):,} mapped"
    with ExitStack() as processes:
        calls = {IN_MEMORY: processes.enter_context(own_process())}
        variants = {IN_MEMORY: partial(calls[IN_MEMORY], train_in_memory)}
        for size in sizes:
            call = calls[f"{size:,} mapped"] = processes.enter_context(own_process())
            variants[f"{size:,} mapped"] = partial(call, train_mapped, size, False)
        # The process of the largest set, so that the peak of its memory covers both.
        variants[f"{max(sizes):,} from disk"] = partial(calls[biggest], train_mapped, max(sizes), True)
        calls[IN_MEMORY](train_in_memory)
        speeds = interleaved(variants, 2 if quick else 5)
        memory = {name: summarise([call(peak_memory)]) for name, call in calls.items()}
    goals = []
    for name in list(calls)[1:]:
        speed = ratio(speeds[name], speeds[IN_MEMORY])
        goals.append(target(f"{name}: images/s over those of {IN_MEMORY}", speed, at_least=0.9))
        goals.append(target(f"{name}: GiB of memory at the peak", memory[name], at_most=1.5))
    return {"speeds": speeds, "memory": memory, "targets": goals}


def report(result: dict[str, Any]) -> str:
    """Return the section of docs/performance.md."""
    memory = result["memory"]
    rows = [
        [name, spread(speed), f"{figures(memory[name]['median'])} GiB" if name in memory else ""]
        for name, speed in result["speeds"].items()
    ]
    return f"""\
{"-".join(map(str, NETWORK))} in batches of {BATCH_SIZE}, one epoch, each set in a process of its own. In memory are
MNIST's 60,000 training images as float32; on disk are those and distortions of them as bytes, made once by
`benchmarks/memory_mapped.py` in `{FOLDER}` and read in shuffled blocks of 1000. *From disk* means that the operating
system had none of the file in its cache when the epoch began; otherwise it may have had all.

{table(["images", "images/s (lowest to highest round)", "peak memory"], rows)}

{targets_table(result["targets"])}"""


def make_set(size: int) -> None:
    """Write the augmented set of this size unless a whole one is there."""
    folder = ROOT / FOLDER / str(size)
    try:
        if len(MemoryMappedImages(folder)) == size:
            return
    except UserError:
        pass
    print(f"  making {size:,} images in {folder.relative_to(ROOT)}", flush=True)
    images, labels = (read_idx(ROOT / path) for path in ORIGINALS)
    make_augmented_set(folder, images, labels, size=size, strengths=STRENGTHS, seed=7)


def train_in_memory() -> float:
    """Train on the 60,000 originals as an array and return images/s."""
    images, labels = (read_idx(ROOT / path) for path in ORIGINALS)
    inputs = images.reshape(len(images), -1).astype(np.float32)
    inputs /= 255
    return train(NETWORK, Split(inputs, labels.astype(np.int64)), epochs=1, batch_size=BATCH_SIZE)[0]


def train_mapped(size: int, from_disk: bool) -> float:
    """Train on the set of this size and return images/s; `from_disk`: drop its file from the system's cache before."""
    folder = ROOT / FOLDER / str(size)
    if from_disk:
        for name in (IMAGES, LABELS):
            forget(folder / name)
    samples = MemoryMappedImages(folder)
    network, generator = start(NETWORK, seed=7)
    optimizer = make_optimizer(network, "adam", LEARNING_RATE)
    step = write_out(network, make_criterion("cross_entropy"), optimizer)
    assert step
    started = time.perf_counter()
    train_epoch(step, samples.batches(BATCH_SIZE, generator))
    return len(samples) / (time.perf_counter() - started)


def forget(path: Path) -> None:
    """Ask the operating system to drop a file from its cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
