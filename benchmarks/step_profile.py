"""Where the time of a training step goes: the parts of the real loop timed one by one, and its products alone."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from operator import matmul
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from harness import table
from notes.networks import mlp, steps
from notes.networks.linear import Linear
from workload import operations_per_image, train, training_set

PEAK_WIDTHS = (512, 768, 1024, 1536, 2048)
GATHERING, PRODUCTS, ACTIVATIONS, LOSS, OPTIMIZER, LOOP = PARTS = (
    "gathering the batch",
    "products, with their biases",
    "activations",
    "loss and its gradient",
    "optimizer",
    "the loop, and keeping losses and logits",
)
# What a step that is written out calls, in `notes.networks.steps`.
CALLED: tuple[tuple[Any, str, str], ...] = (
    (steps.Product, "forward", PRODUCTS),
    (steps.Product, "backward", PRODUCTS),
    (steps.Activation, "forward", ACTIVATIONS),
    (steps.Activation, "backward", ACTIVATIONS),
    (steps, "_cross_entropy", LOSS),
)


class Stopwatch:
    """Adds up the seconds between its laps under the name of each lap."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Count the time since the last lap as `name`."""
        now = time.perf_counter()
        self.seconds[name] += now - self.last
        self.last = now

    def counted(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Return a function whose calls count as `name`, and what lies before them as the loop."""

        def call(*arguments: Any) -> Any:
            self.lap(LOOP)
            result = function(*arguments)
            self.lap(name)
            return result

        return call


def matmul_peak() -> float:
    """Return the floating-point operations a second of the fastest float32 product of two square matrices.

    It is torch's or NumPy's: the numeric mode `portable` takes the second, and is not kind to the first.
    """
    fastest = 0.0
    for width in PEAK_WIDTHS:
        left, right = torch.rand(width, width), torch.rand(width, width)
        for one, other in ((left, right), (left.numpy(), right.numpy())):
            seconds = best_time(partial(matmul, one, other), at_least=0.15)
            fastest = max(fastest, 2 * width**3 / seconds)
    return fastest


def profile(sizes: Sequence[int], batch_size: int) -> dict[str, Any]:
    """Return the microseconds that each part of a step takes in the real loop, and its matrix products alone."""
    watch, data = Stopwatch(), training_set()
    with _timed(watch):
        train(sizes, data, epochs=1, batch_size=batch_size)
    count = -(-len(data.targets) // batch_size)
    return {
        "batch_size": batch_size,
        "sizes": list(sizes),
        "parts": {name: 1e6 * watch.seconds[name] / count for name in PARTS},
        "products alone": 1e6 * _products(sizes, batch_size),
        "products at the peak": 1e6 * batch_size * operations_per_image(sizes) / matmul_peak(),
    }


def profile_table(profiles: Mapping[str, Mapping[str, Any]], of_jax: Mapping[str, float]) -> str:
    """Return the profiles as a Markdown table, microseconds a batch, and those of a whole step of JAX beside them."""
    names = [*PARTS, "**a step**", "its products alone", "its products at the peak", "a step of JAX"]
    columns = []
    for name, of in profiles.items():
        whole = sum(of["parts"].values())
        values = [*of["parts"].values(), whole, of["products alone"], of["products at the peak"], of_jax[name]]
        columns.append([f"{value:,.0f} µs, {100 * value / whole:.0f} %" for value in values])
    return table(["part", *profiles], [list(row) for row in zip(names, *columns, strict=True)])


def best_time(work: Callable[[], Any], *, at_least: float) -> float:
    """Return the seconds of the fastest of the calls that fit into `at_least` seconds, five or more of them."""
    work()
    fastest, calls, ends = float("inf"), 0, time.perf_counter() + at_least
    while calls < 5 or time.perf_counter() < ends:
        started = time.perf_counter()
        work()
        fastest, calls = min(fastest, time.perf_counter() - started), calls + 1
    return fastest


def mean_time(work: Callable[[], Any], *, calls: int) -> float:
    """Return the mean seconds of a call, after a tenth of the calls as warm-up."""
    for _ in range(calls // 10 + 1):
        work()
    started = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - started) / calls


@contextmanager
def _timed(watch: Stopwatch) -> Iterator[None]:
    """Let the parts of the loop count their seconds."""
    original, adam = mlp.shuffled_batches, steps._adam

    def batches(*arguments: Any) -> Iterator[tuple[Tensor, Tensor]]:
        watch.last = time.perf_counter()
        for batch in original(*arguments):
            watch.lap(GATHERING)
            yield batch
            watch.lap(LOOP)

    with ExitStack() as patches:
        for owner, name, part in CALLED:
            patches.enter_context(patch.object(owner, name, watch.counted(getattr(owner, name), part)))
        patches.enter_context(patch.object(mlp, "shuffled_batches", batches))
        patches.enter_context(patch.object(steps, "_adam", lambda optimizer: watch.counted(adam(optimizer), OPTIMIZER)))
        yield


@torch.no_grad()
def _products(sizes: Sequence[int], batch_size: int) -> float:
    total, calls = 0.0, max(50, 40_000 // batch_size)
    for number, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        product = steps.Product(Linear(fan_in, fan_out, bias=False), first=number == 0)
        inputs, gradients = torch.rand(batch_size, fan_in), torch.rand(batch_size, fan_out)
        total += mean_time(partial(product.forward, inputs), calls=calls)
        total += mean_time(partial(product.backward, gradients), calls=calls)
    return total
