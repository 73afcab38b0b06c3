"""What the numeric mode `portable` costs: the networks of params.yaml, trained in it and in `native`, in turn."""

import time
from functools import partial
from typing import Any

import torch

from harness import interleaved, own_process, ratio, require_files, spread, table, target, targets_table
from notes.data.tasks import TASKS, Split, load_split
from notes.networks.determinism import make_deterministic
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier
from notes.numeric import MODES, numeric_platform
from notes.settings import read_settings

NETWORKS = ("mnist_mlp", "mnist_mlp_plain", "mnist_softmax", "moons_mlp")
AT_MOST = 1.3  # of the native time


def measure(quick: bool) -> dict[str, Any]:
    """Measure each network in both modes in turn."""
    require_files("data/mnist/development/train_images.npy", "data/moons/development/table.csv")
    rounds, epochs = (2, 1) if quick else (7, 2)
    times = {}
    with own_process("portable") as portable, own_process("native") as native:
        calls = dict(zip(MODES, (portable, native), strict=True))
        for network in NETWORKS:
            for call in calls.values():
                call(seconds, network, 1)
            measured = interleaved(
                {mode: partial(call, seconds, network, epochs) for mode, call in calls.items()}, rounds
            )
            times[network] = measured | {"ratio": ratio(measured["portable"], measured["native"])}
    return {"platforms": [numeric_platform(mode) for mode in MODES], "times": times}


def report(result: dict[str, Any]) -> str:
    """Return the section of docs/performance.md."""
    times, (portable, native) = result["times"], result["platforms"]
    rows = [[name, *(spread(found[key]) for key in (*MODES, "ratio"))] for name, found in times.items()]
    goals = [target(f"{name}, portable / native", found["ratio"], at_most=AT_MOST) for name, found in times.items()]
    return f"""\
`numeric: portable` gives the same bytes on every x86-64 processor with AVX2; `native` lets each library choose. Here
the first was {portable}, the second {native}. Seconds of training on the whole training split, one thread:

{table(["network", *(f"{mode}, s" for mode in MODES), "portable / native"], rows)}

A network as small as moons_mlp is a matter of calls rather than of arithmetic, and each product has one more.

{targets_table(goals)}"""


def seconds(name: str, epochs: int) -> float:
    """Train a network of params.yaml for some epochs, as its stage does; return the seconds that it took."""
    settings = read_settings("train_mlp", name)
    make_deterministic(settings.seed)
    train: Split = load_split(settings.task, "train")
    generator = torch.Generator().manual_seed(settings.seed)
    outputs = 1 if settings.loss == "log_loss" else TASKS[settings.task].classes or 1
    shape = {"activation": settings.activation, "dropout": settings.dropout, "batch_norm": settings.batch_norm}
    network = Mlp(train.inputs.shape[1], settings.hidden_sizes, outputs, **shape).initialise(generator)
    settings.epochs = epochs * (20 if settings.task == "moons" else 1)
    options, started = ClassifierOptions.of(settings), time.perf_counter()
    for _ in fit_classifier(network, train, None, options, generator=generator):
        pass
    return time.perf_counter() - started
