"""The training that several sections time: this project's loop on MNIST's training split, and what it costs."""

import time
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import torch

from harness import ROOT
from notes.data.tasks import Split, load_split
from notes.networks.determinism import make_deterministic
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier

IMAGES = 55_000
LEARNING_RATE = 0.001


@cache
def split(name: str) -> Split:
    """Return MNIST's training or validation split, read once a process."""
    return load_split("mnist", name, ROOT)


def training_set(images: int = IMAGES) -> Split:
    """Return the first `images` rows of the training split."""
    return Split(split("train").inputs[:images], split("train").targets[:images])


def operations_per_image(sizes: Sequence[int]) -> int:
    """Return the floating-point operations that training needs an image, two for each multiplication with its addition.

    Forward, the gradients of the weights, and those of all inputs but the images themselves.
    """
    weights = [fan_in * fan_out for fan_in, fan_out in pairwise(sizes)]
    return 2 * (3 * sum(weights) - weights[0])


def start(sizes: Sequence[int], seed: int) -> tuple[Mlp, torch.Generator]:
    """Return an untrained network of these layers and the generator that shuffles for it."""
    make_deterministic(seed)
    generator = torch.Generator().manual_seed(seed)
    return Mlp(sizes[0], list(sizes[1:-1]), sizes[-1]).initialise(generator), generator


def train(
    sizes: Sequence[int],
    data: Split,
    *,
    seed: int = 7,
    watch: Callable[[Mlp], Any] = lambda network: None,
    **options: Any,
) -> tuple[float, Mlp]:
    """Train as the stages do, on one thread and without validation; return images/s over all epochs, and the network.

    `watch` is called with the untrained network; `options` are those of ClassifierOptions beside the learning rate.
    """
    network, generator = start(sizes, seed)
    watch(network)
    settings = ClassifierOptions(learning_rate=LEARNING_RATE, **options)
    started = time.perf_counter()
    epochs = sum(1 for _ in fit_classifier(network, data, None, settings, generator=generator))
    seconds = time.perf_counter() - started
    return epochs * len(data.targets) / seconds, network
