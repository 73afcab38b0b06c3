"""The training loop against scikit-learn's, the textbook's and JAX's, and against the processor's own limit."""

import math
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from harness import (
    ROOT,
    Measurement,
    install,
    interleaved,
    own_process,
    ratio,
    require_files,
    spread,
    table,
    target,
    targets_table,
)
from notes.files import UserError
from step_profile import matmul_peak, profile, profile_table
from textbook import torchvision_mnist
from workload import IMAGES, LEARNING_RATE, operations_per_image, train, training_set

SMALL, WIDE = (784, 128, 64, 10), (784, 512, 512, 10)
SMALL_BATCH, WIDE_BATCH = 64, 512
JAX = "jax==0.10.2"
# Beside JAX: layers and images a batch.
WORK = {
    "784-128-64-10, batch 64": (SMALL, 64),
    "784-128-64-10, batch 128": (SMALL, 128),
    "784-512-512-10, batch 512": (WIDE, 512),
}


def measure(quick: bool) -> dict[str, Any]:
    """Measure the loops, the wide network and the multiplication peak in turn, each in its own process."""
    require_files("data/mnist/development/train_images.npy", "data/raw/train-images-idx3-ubyte")
    epochs, rounds, share = (1, 3, 0.1) if quick else (2, 5, 1.0)
    with ExitStack() as processes:
        ours, autograd, theirs, textbook = (processes.enter_context(own_process()) for _ in range(4))
        variants = {
            "provenn": partial(ours, train_ours, SMALL, SMALL_BATCH, epochs, IMAGES),
            "autograd": partial(autograd, train_by_autograd, SMALL, SMALL_BATCH, epochs, IMAGES),
            "scikit-learn": partial(theirs, train_scikit_learn, epochs, IMAGES),
            "textbook": partial(textbook, train_textbook, epochs, int(share * IMAGES)),
            "provenn, wide": partial(ours, train_ours, WIDE, WIDE_BATCH, epochs, IMAGES),
            "multiplication": partial(ours, matmul_peak),
        }
        ours(train_ours, SMALL, SMALL_BATCH, 1, IMAGES // 5)
        autograd(train_by_autograd, SMALL, SMALL_BATCH, 1, IMAGES // 5)
        theirs(train_scikit_learn, 1, IMAGES // 5)
        textbook(train_textbook, 1, IMAGES // 50)
        speeds = interleaved(variants, rounds)
    with own_process("portable") as portable:
        profiles = {name: portable(profile, sizes, batch) for name, (sizes, batch) in WORK.items()}
    beside_jax = measure_jax(epochs, rounds)
    shares = {
        "small": ratio(scaled(speeds["provenn"], operations_per_image(SMALL)), speeds["multiplication"]),
        "wide": ratio(scaled(speeds["provenn, wide"], operations_per_image(WIDE)), speeds["multiplication"]),
    }
    return {
        "epochs": epochs,
        "textbook_images": int(share * IMAGES),
        "speeds": speeds,
        "shares": shares,
        "profiles": profiles,
        "jax": beside_jax,
        "targets": [
            target("images/s over scikit-learn's", ratio(speeds["provenn"], speeds["scikit-learn"]), at_least=1.5),
            target("images/s over the textbook loop's", ratio(speeds["provenn"], speeds["textbook"]), at_least=10),
            target("share of the multiplication peak, 784-128-64-10, batch 64", shares["small"], at_least=0.5),
            target("share of the multiplication peak, 784-512-512-10, batch 512", shares["wide"], at_least=0.75),
            *(
                target(f"images/s over JAX's, {name}", ratio(pair["provenn"], pair["JAX"]), at_least=1)
                for name, pair in beside_jax.items()
            ),
        ],
    }


def measure_jax(epochs: int, rounds: int) -> dict[str, dict[str, Measurement]]:
    """Measure the loop and JAX's compiled scan over the epoch in turn, both with AVX2 alone, on one core."""
    with own_process("portable") as ours, tempfile.TemporaryDirectory(prefix="provenn-bench-") as folder:
        python = install(Path(folder) / "jax", [JAX]) / "python"
        arrays = [Path(folder, name) for name in ("images.npy", "labels.npy")]
        data = training_set()
        for path, values in zip(arrays, (data.inputs, data.targets), strict=True):
            np.save(path, values)
        variants = {}
        for name, (sizes, batch) in WORK.items():
            variants[f"provenn {name}"] = partial(ours, train_ours, sizes, batch, epochs, IMAGES)
            variants[f"JAX {name}"] = partial(train_jax, python, sizes, batch, epochs, arrays)
            ours(train_ours, sizes, batch, 1, IMAGES // 5)
        speeds = interleaved(variants, rounds)
    return {name: {loop: speeds[f"{loop} {name}"] for loop in ("provenn", "JAX")} for name in WORK}


def report(result: dict[str, Any]) -> str:
    """Return the section of docs/performance.md."""
    speeds = result["speeds"]
    loops = {
        "provenn": "`notes.networks.mlp.fit_classifier`",
        "autograd": "the same with its step by autograd",
        "scikit-learn": "scikit-learn's `MLPClassifier`",
        "textbook": "the textbook loop",
    }
    epochs = "1 epoch" if result["epochs"] == 1 else f"{result['epochs']} epochs"
    beside = [[name, spread(pair["provenn"]), spread(pair["JAX"])] for name, pair in result["jax"].items()]
    of_jax = {name: 1e6 * WORK[name][1] / pair["JAX"]["median"] for name, pair in result["jax"].items()}
    return f"""\
A network 784-128-64-10 learns {IMAGES:,} MNIST images for {epochs} in batches of {SMALL_BATCH} with Adam. The
loops train the same network the same way, and none looks at validation data between epochs. The textbook loop is
that of most tutorials: torchvision's `datasets.MNIST`, `ToTensor`, `Normalize`, a `DataLoader` without workers, and
`loss.item()` in each step; it was timed on {result["textbook_images"]:,} images an epoch. `notes.networks.steps` has
the two ways to take a step; they give the same bits.

{table(["loop", "images/s (lowest to highest round)"], [[text, spread(speeds[name])] for name, text in loops.items()])}

Beside [JAX](https://docs.jax.dev) ({JAX.replace("==", " ")}), where an epoch is one compiled scan over its batches;
compiling is not counted. Both have one core and AVX2 alone, ours in the pipeline's numeric mode, `portable`.
Images/s:

{table(["network", "ours", "JAX"], beside)}

{targets_table(result["targets"])}

The peak is the fastest float32 product of two square matrices, 512 to 2048 wide, that torch reached on one thread in
the same round: {spread(scaled(speeds["multiplication"], 1e-9))} GFLOPS. Training 784-128-64-10 needs
{operations_per_image(SMALL):,} floating-point operations an image (forward, the gradients of the weights, and those of
all inputs but the images'), 784-512-512-10 needs {operations_per_image(WIDE):,}, and learns
{spread(speeds["provenn, wide"])} images/s in batches of {WIDE_BATCH}.

### Where the rest goes

The loop as the pipeline runs it, in the numeric mode `portable`, its parts timed one by one. *Its products alone* are
the step's own matrix products at these shapes, timed outside the loop; *at the peak* is what they would take at the
speed of large square ones in that mode. Beside the products it is Adam that counts, which takes the same for a batch
of any size, and the fixed cost of each small operation.

{profile_table(result["profiles"], of_jax)}

A step of JAX is one part of a compiled loop, and nothing of it is started from Python. What ours takes above its
products alone is all that a faster step could still win. Where a step of JAX takes less than that, its products are
faster: they are oneDNN's, made for the processor at hand, while `portable` holds ours to one set of OpenBLAS's kernels,
which give the same bits everywhere."""


def scaled(measured: dict[str, Any], factor: float) -> dict[str, Any]:
    """Return a measurement in another unit."""
    low, median, high = (factor * measured[key] for key in ("low", "median", "high"))
    return {"median": median, "low": low, "high": high, "values": [factor * value for value in measured["values"]]}


def train_ours(sizes: Sequence[int], batch_size: int, epochs: int, images: int) -> float:
    """Train with this project's loop and return images/s."""
    return train(sizes, training_set(images), epochs=epochs, batch_size=batch_size)[0]


def train_by_autograd(sizes: Sequence[int], batch_size: int, epochs: int, images: int) -> float:
    """Train with this project's loop and autograd, which a network that is watched gets, and return images/s."""

    def watch(network: nn.Module) -> None:
        network.register_forward_hook(lambda *_: None)

    return train(sizes, training_set(images), epochs=epochs, batch_size=batch_size, watch=watch)[0]


def train_jax(python: Path, sizes: Sequence[int], batch_size: int, epochs: int, arrays: Sequence[Path]) -> float:
    """Train the same network with JAX, in its own environment, and return images/s."""
    given = [",".join(map(str, sizes)), str(batch_size), str(epochs), *map(str, arrays)]
    done = subprocess.run(
        [python, Path(__file__).with_name("jax_loop.py"), *given], capture_output=True, text=True, cwd=python.parent
    )
    if done.returncode:
        raise UserError(f"JAX failed: {done.stderr[-500:]}")
    return float(done.stdout)


def train_scikit_learn(epochs: int, images: int) -> float:
    """Train the same network with scikit-learn, without regularisation or early stopping, and return images/s."""
    from sklearn.neural_network import MLPClassifier

    from notes.baselines import fit

    data = training_set(images)
    estimator = MLPClassifier(
        SMALL[1:-1],
        solver="adam",
        alpha=0.0,
        batch_size=SMALL_BATCH,
        learning_rate_init=LEARNING_RATE,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=7,
    )
    started = time.perf_counter()
    fit(estimator, data.inputs, data.targets)
    return epochs * images / (time.perf_counter() - started)


def train_textbook(epochs: int, images: int) -> float:
    """Train the same network as most tutorials do, and return images/s."""
    dataset = torchvision_mnist(ROOT / "data" / "raw")
    dataset.data, dataset.targets = dataset.data[:images], dataset.targets[:images]
    torch.manual_seed(7)
    network = nn.Sequential(
        nn.Flatten(),
        nn.Linear(SMALL[0], SMALL[1]), nn.ReLU(),
        nn.Linear(SMALL[1], SMALL[2]), nn.ReLU(),
        nn.Linear(SMALL[2], SMALL[3]),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    loader = torch.utils.data.DataLoader(dataset, batch_size=SMALL_BATCH, shuffle=True)
    started = time.perf_counter()
    for _ in range(epochs):
        network.train()
        total = 0.0
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(inputs), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
    seconds = time.perf_counter() - started
    if not math.isfinite(total):
        raise ArithmeticError("the textbook loop diverged")
    return epochs * images / seconds
