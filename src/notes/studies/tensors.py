"""Why tensors, and not loops over numbers?

A layer of a network is a matrix product. Written as three loops, Python takes up every single number, looks what it is,
looks up what `*` means for it, and makes a new object for the result: a dozen times the work of the multiplication. A
tensor holds its numbers one beside the other and says once what they are; one call from Python runs through all of them
in compiled code. But the call itself costs something too, as much as a few dozen turns of a loop.

The study multiplies square matrices both ways, counts what Python has to do one by one, and checks that the results
agree. A call counts as many operations, more than it costs on common machines. What is not measured is speed: it
depends on the machine and on the moment. Processor times are in MLflow, and no verdict rests on them. Nor does the
count say how fast another language's loop would be, or a machine with a GPU.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from notes.intervals import mean_interval
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column, rows_where
from notes.studies.shared.experiment import random_for

CLAIM = "Tensors compute faster than loops."
NOTES = "6. Linear regression in code"
RULE = (
    "Faster means less for Python to do one by one: multiplications and additions in the loops, calls of torch with "
    "tensors, each of which counts as `call_cost` operations. Tensors are faster for a size of matrix if in every "
    "repetition they leave less to do than three loops in Python, and their product differs from that of the loops by "
    "at most `tolerance` of its largest number. Holds if they are for every size, holds only from the smallest size "
    "on from which they always are, fails if they are not for the largest. Time is not judged."
)
Matrix = Sequence[Sequence[float]]


class CallCounter(TorchFunctionMode):
    """Counts, within its `with` block, the calls of torch from Python."""

    calls = 0

    def __torch_function__(
        self, operation: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.calls += 1
        return operation(*args, **(kwargs or {}))


class Counted(float):
    """A number that counts the multiplications and additions that Python does with it."""

    operations = 0

    def __mul__(self, other: float) -> "Counted":
        Counted.operations += 1
        return Counted(float(self) * float(other))

    def __add__(self, other: float) -> "Counted":
        Counted.operations += 1
        return Counted(float(self) + float(other))


def loops(left: Matrix, right: Matrix) -> list[list[float]]:
    """Return the product of two matrices, number by number."""
    product = []
    for row in left:
        line = []
        for at in range(len(right[0])):
            total = row[0] * right[0][at]
            for place in range(1, len(row)):
                total = total + row[place] * right[place][at]
            line.append(total)
        product.append(line)
    return product


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[Row]:
    """Return a row a size of matrix and repetition."""
    rows: list[Row] = []
    for repetition in range(settings.repetitions):
        random = random_for(seed, repetition)
        for size in settings.sizes:
            left, right = random.standard_normal((2, size, size))
            tensors = torch.from_numpy(left), torch.from_numpy(right)
            lists = left.tolist(), right.tolist()
            with CallCounter() as counter:
                product = torch.matmul(*tensors)
            found, expected = product.numpy(), np.array(loops(*lists))
            count = operations(*lists)
            rows.append(
                {
                    "size": size,
                    "repetition": repetition,
                    "operations": count,
                    "calls": counter.calls,
                    "difference": float(np.abs(found - expected).max() / np.abs(expected).max()),
                    "faster": settings.call_cost * counter.calls < count,
                    f"time/loops_{size}_s": fastest(partial(loops, *lists), settings.tries),
                    f"time/tensors_{size}_s": fastest(partial(torch.matmul, *tensors), settings.tries),
                }
            )
    return rows


def operations(left: Matrix, right: Matrix) -> int:
    """Return how many multiplications and additions Python does one by one in the loops."""
    before = Counted.operations
    counting = [[[Counted(value) for value in row] for row in matrix] for matrix in (left, right)]
    loops(*counting)
    return Counted.operations - before


def fastest(work: Callable[[], object], tries: int) -> float:
    """Return the processor's seconds of the fastest try, which a busy machine delays least."""
    seconds = []
    for _ in range(tries):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


def judge(rows: list[Row], settings: Settings) -> Verdict:
    """Apply RULE; the effect is the operations that one call replaces at the largest size."""
    sizes = sorted(settings.sizes)
    faster = {
        size: all(row["faster"] and row["difference"] <= settings.tolerance for row in rows_where(rows, size=size))
        for size in sizes
    }
    start = next((size for place, size in enumerate(sizes) if all(faster[later] for later in sizes[place:])), None)
    text = "fails" if start is None else f"holds only from {start} × {start} numbers on"
    small, large = sizes[0], sizes[-1]
    fewest, most = (column(rows, "operations", size=size).max() for size in (small, large))
    since = f"is less from {start} × {start} on" if start else f"is not less even at {large} × {large}"
    return Verdict(
        "holds" if start == small else text,
        f"multiplications and additions that one call replaces at {large} × {large}",
        *mean_interval(column(rows, "operations", size=large)),
        f"One call replaces {fewest:,.0f} operation of Python at {small} × {small} numbers and {most:,.0f} at "
        f"{large} × {large}; counted as {settings.call_cost:g} operations it {since} (counted, not timed)",
    )
