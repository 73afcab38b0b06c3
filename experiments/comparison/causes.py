"""Why a network in torch and scikit-learn's MLPClassifier with equal settings do not come out equal: causes in turn.

    PYTHONPATH=src python experiments/comparison/causes.py

Run it in the root, after `dvc repro prepare_mnist`. It starts from mnist_mlp_plain of params.yaml, changes one
thing at a time, and writes a row a variant and seed to causes.csv. Judged on validation; the test set is not read.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier
from sklearn.utils import shuffle
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn import functional

from notes.data.tasks import load_split
from notes.files import write_rows
from notes.networks.determinism import make_deterministic
from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp, evaluate, train_epoch
from notes.settings import Settings, read_settings

SEEDS = (11, 12, 13)
LAST = 5  # epochs over which the last ones are averaged
VARIANTS = {
    "scikit-learn": None,
    "torch, plain": {},
    "torch, from scikit-learn's start in its order": {"as_scikit_learn": True},
    "torch, from its start, in its order, with its ε": {"as_scikit_learn": True, "epsilon_first": True},
    "torch, start of He, biases zero": {"scheme": "he"},
    "torch, no L2": {"weight_decay": 0.0},
    "torch, Adam's ε before the bias correction": {"epsilon_first": True},
}
TRAIN, VALIDATION = (load_split("mnist", split) for split in ("train", "validation"))


def main() -> None:
    """Train every variant with every seed."""
    settings, rows = read_settings("train_mlp", "mnist_mlp_plain"), []
    for seed in SEEDS:
        for name, options in VARIANTS.items():
            make_deterministic(seed)
            epochs = scikit_learn(settings, seed) if options is None else in_torch(settings, seed, **options)
            losses, accuracies = (np.array(values) for values in zip(*epochs, strict=True))
            last = accuracies[-LAST:]
            rows.append(
                {"seed": seed, "variant": name, "last_epoch": last[-1], "mean_of_last_5": last.mean()}
                | {"lowest_of_last_5": last.min(), "highest_of_last_5": last.max()}
                | {"epoch_of_lowest_loss": accuracies[losses.argmin()], "first_loss": losses[0]}
            )
            print(rows[-1], flush=True)
            write_rows(Path(__file__).with_suffix(".csv"), rows)


def scikit_learn(settings: Settings, seed: int) -> Iterator[tuple[float, float]]:
    """Yield validation loss and accuracy of MLPClassifier after every epoch."""
    estimator = MLPClassifier(
        tuple(settings.hidden_sizes), learning_rate_init=settings.learning_rate, batch_size=settings.batch_size,
        alpha=settings.weight_decay * settings.batch_size, random_state=np.random.RandomState(seed),
    )  # fmt: skip
    rows = np.arange(len(VALIDATION.targets))
    for _ in range(settings.epochs):
        estimator.partial_fit(TRAIN.inputs, TRAIN.targets, classes=np.arange(10))
        probabilities = estimator.predict_proba(VALIDATION.inputs)
        losses = -np.log(np.maximum(probabilities[rows, VALIDATION.targets], 1e-16))
        yield float(losses.mean()), float((probabilities.argmax(axis=1) == VALIDATION.targets).mean())


def in_torch(
    settings: Settings,
    seed: int,
    *,
    scheme: str = "glorot",
    weight_decay: float | None = None,
    epsilon_first: bool = False,
    as_scikit_learn: bool = False,
) -> Iterator[tuple[float, float]]:
    """Yield validation loss and accuracy of the network in torch after every epoch."""
    generator, numpys = torch.Generator().manual_seed(seed), np.random.RandomState(seed)
    network = Mlp(784, settings.hidden_sizes, 10).initialise(generator, scheme)
    if as_scikit_learn:
        copy_start(network, numpys)
    decay = settings.weight_decay if weight_decay is None else weight_decay
    optimizer = make_optimizer(network, "adam", settings.learning_rate, decay)
    if epsilon_first:
        put_epsilon_first(optimizer)
    inputs, labels = torch.from_numpy(TRAIN.inputs), torch.from_numpy(TRAIN.targets)
    held_out = torch.from_numpy(np.array(VALIDATION.inputs)), torch.from_numpy(VALIDATION.targets)
    for _ in range(settings.epochs):
        if as_scikit_learn:
            order = torch.from_numpy(shuffle(np.arange(len(labels)), random_state=numpys))
        else:
            order = torch.randperm(len(labels), generator=generator)
        network.train()
        train_epoch(network, batches(inputs, labels, order, settings.batch_size), functional.cross_entropy, optimizer)
        yield evaluate(network, *held_out, functional.cross_entropy)


def batches(inputs: Tensor, labels: Tensor, order: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the samples in an order, the last batch smaller."""
    for rows in order.split(size):
        yield inputs.index_select(0, rows), labels[rows]


@torch.no_grad()
def copy_start(network: Mlp, numpys: np.random.RandomState) -> None:
    """Give a network the weights that MLPClassifier draws from a state, which moves on as there."""
    for layer in network.layers:
        if isinstance(layer, torch.nn.Linear):
            bound = np.sqrt(6 / (layer.in_features + layer.out_features))
            layer.weight.copy_(
                torch.from_numpy(numpys.uniform(-bound, bound, (layer.in_features, layer.out_features)).T)
            )
            layer.bias.copy_(torch.from_numpy(numpys.uniform(-bound, bound, layer.out_features)))


def put_epsilon_first(optimizer: torch.optim.Optimizer) -> None:
    """Let Adam add ε to √v before v's bias is corrected, as scikit-learn does: torch's ε then falls with the steps."""
    steps = iter(range(1, 10**9))

    def adjust(*_: object) -> None:
        step = next(steps)
        for group in optimizer.param_groups:
            group["eps"] = 1e-8 / (1 - 0.999**step) ** 0.5

    optimizer.register_step_pre_hook(adjust)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
