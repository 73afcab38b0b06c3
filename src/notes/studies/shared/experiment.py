"""Pieces that several studies build their experiment from."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from notes.data.tasks import Split
from notes.networks.mlp import ClassifierOptions, Mlp, NonFiniteLossError, fit_classifier


def stream(seed: np.random.SeedSequence, *keys: int) -> np.random.SeedSequence:
    """Return the child of `seed` with these keys, as `spawn` makes it: independent of every other child's numbers."""
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *keys))


def random_for(seed: np.random.SeedSequence, *keys: int) -> np.random.Generator:
    """Return NumPy's generator of one repetition."""
    return np.random.default_rng(stream(seed, *keys))


def generator_for(seed: np.random.SeedSequence, *keys: int) -> torch.Generator:
    """Return torch's generator of one repetition."""
    state = stream(seed, *keys).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)


def sample(split: Split, rows: int, generator: torch.Generator) -> Split:
    """Return `rows` random rows of a split, or all of them, shuffled, when it has no more."""
    chosen = torch.randperm(len(split.targets), generator=generator)[:rows].numpy()
    return Split(split.inputs[chosen], split.targets[chosen])


def without_activation(network: Mlp) -> Mlp:
    """Remove every activation from a network in place: what stays is a stack of linear layers."""
    network.layers = nn.Sequential(*[layer for layer in network.layers if isinstance(layer, nn.Linear)])
    return network


def train(
    network: Mlp, data: Split, held_out: Split | None, options: ClassifierOptions, generator: torch.Generator
) -> Iterator[dict[str, float]]:
    """Yield the records of `fit_classifier`, and no more once the loss is not finite: diverging is a result here."""
    try:
        yield from fit_classifier(network, data, held_out, options, generator=generator)
    except NonFiniteLossError:
        return
