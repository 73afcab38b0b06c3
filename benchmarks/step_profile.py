"""Where the time of a training step goes: hooks between the parts of the real loop, and its matrix products alone."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from harness import table
from workload import operations_per_image, split, train, training_set

PEAK_WIDTHS = (512, 768, 1024, 1536, 2048)
LOOP = "the loop, and recording the loss"
PARTS = ("gathering the batch", "forward", "loss", "backward", "optimizer", LOOP)


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


def matmul_peak() -> float:
    """Return the floating-point operations a second of torch's fastest float32 product of two square matrices."""
    fastest = 0.0
    for width in PEAK_WIDTHS:
        left, right = torch.rand(width, width), torch.rand(width, width)
        seconds = best_time(lambda left=left, right=right: left @ right, at_least=0.15)
        fastest = max(fastest, 2 * width**3 / seconds)
    return fastest


def profile(sizes: Sequence[int], batch_size: int) -> dict[str, Any]:
    """Return the microseconds that each part of a step takes in the real loop, and its matrix products alone.

    The gathering is timed alone and taken off what lies between two steps.
    """
    parts = _time_parts(sizes, batch_size)
    between_steps = parts.pop("between steps")
    parts["gathering the batch"] = min(_gathering(batch_size), between_steps)
    parts[LOOP] = between_steps - parts["gathering the batch"]
    return {
        "batch_size": batch_size,
        "sizes": list(sizes),
        "parts": {name: 1e6 * parts[name] for name in PARTS},
        "products alone": 1e6 * _products(sizes, batch_size),
        "products at the peak": 1e6 * batch_size * operations_per_image(sizes) / matmul_peak(),
    }


def profile_table(profiles: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the profiles as a Markdown table, two columns each: microseconds a batch and their share."""
    header = ["part"]
    rows = [[name] for name in [*PARTS, "**a step**", "its products alone", "its products at the peak"]]
    for of in profiles.values():
        header += [f"{'-'.join(map(str, of['sizes']))}, batch {of['batch_size']}", "share"]
        whole = sum(of["parts"].values())
        values = [*of["parts"].values(), whole, of["products alone"], of["products at the peak"]]
        for row, value in zip(rows, values, strict=True):
            row += [f"{value:,.0f} µs", f"{value / whole:.0%}".replace("%", " %")]
    return table(header, rows)


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


def _time_parts(sizes: Sequence[int], batch_size: int) -> dict[str, float]:
    watch = Stopwatch()

    def criterion(logits: Tensor, labels: Tensor) -> Tensor:
        loss = functional.cross_entropy(logits, labels)
        watch.lap("loss")
        return loss

    def put_hooks(network: nn.Module) -> None:
        network.register_forward_pre_hook(lambda *_: watch.lap("between steps"))
        network.register_forward_hook(lambda *_: watch.lap("forward"))

    steps = 0

    def finish_step(*_: Any) -> None:
        nonlocal steps
        watch.lap("optimizer")
        steps += 1

    hooks = [
        register_optimizer_step_pre_hook(lambda *_: watch.lap("backward")),
        register_optimizer_step_post_hook(finish_step),
    ]
    data = training_set()
    try:
        watch.last = time.perf_counter()
        train(sizes, data, watch=put_hooks, loss=criterion, epochs=1, batch_size=batch_size)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: seconds / steps for name, seconds in watch.seconds.items()}


def _gathering(batch_size: int) -> float:
    inputs, labels = torch.from_numpy(split("train").inputs), torch.from_numpy(split("train").targets)
    batches = iter(torch.split(torch.randperm(len(inputs)).repeat(3), batch_size))

    def gather() -> tuple[Tensor, Tensor]:
        batch = next(batches)
        return inputs.index_select(0, batch), labels.index_select(0, batch)

    return mean_time(gather, calls=2 * len(inputs) // batch_size)


def _products(sizes: Sequence[int], batch_size: int) -> float:
    total, calls = 0.0, max(50, 40_000 // batch_size)
    for number, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        inputs, gradients = torch.rand(batch_size, fan_in), torch.rand(batch_size, fan_out)
        weight = torch.rand(fan_out, fan_in)
        products: list[Callable[[], Tensor]] = [
            lambda inputs=inputs, weight=weight: inputs @ weight.T,
            lambda inputs=inputs, gradients=gradients: gradients.T @ inputs,
        ]
        if number:
            products.append(lambda gradients=gradients, weight=weight: gradients @ weight)
        total += sum(mean_time(product, calls=calls) for product in products)
    return total
