"""Why tensors, and not loops over numbers?

A layer of a network is a matrix product. Written as three loops, Python takes up every single number, looks what it is,
looks up what `*` means for it, and makes a new object for the result: a dozen times the work of the multiplication. A
tensor holds its numbers one beside the other and says once what they are; one call from Python runs through all of them
in compiled code. But the call itself costs something too, as much as a few dozen turns of a loop.

The study multiplies square matrices both ways, counts what Python has to do one by one, and checks that the results
agree. Speed depends on the machine, so the table holds one bit of it, whether tensors were at least so and so many
times as fast, for sizes at which the answer is the same on any machine. The times themselves are in MLflow. What this
cannot settle: how fast another language's loop would be, or a machine with a GPU.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from notes.intervals import mean_interval
from notes.settings import Settings
from notes.studies.shared.base import Row, Verdict, column, rows_where
from notes.studies.shared.experiment import random_for

CLAIM = "Tensors compute faster than loops."
NOTES = "6. Linear regression in code"
RULE = (
    "Tensors are faster for a size of matrix if in every repetition the product is at least `factor` times as fast as "
    "three loops in Python, the fastest of several tries each, and differs from theirs by at most `tolerance` of its "
    "largest number. Holds if they are for every size, holds only from the smallest size on from which they always "
    "are, fails if they are not for the largest."
)
Matrix = Sequence[Sequence[float]]


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
            expected, found = np.array(loops(*lists)), torch.matmul(*tensors).numpy()
            slow = fastest(partial(loops, *lists), settings.tries)
            fast = fastest(partial(torch.matmul, *tensors), settings.tries)
            rows.append(
                {
                    "size": size,
                    "repetition": repetition,
                    "operations": operations(*lists),
                    "difference": float(np.abs(found - expected).max() / np.abs(expected).max()),
                    "faster": slow >= settings.factor * fast,
                    f"time/loops_{size}_s": slow,
                    f"time/tensors_{size}_s": fast,
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
    """Apply RULE; the effect is what one call replaces at the largest size."""
    sizes = sorted(settings.sizes)
    faster = {
        size: all(row["faster"] and row["difference"] <= settings.tolerance for row in rows_where(rows, size=size))
        for size in sizes
    }
    start = next((size for place, size in enumerate(sizes) if all(faster[later] for later in sizes[place:])), None)
    text = "fails" if start is None else f"holds only from {start} × {start} numbers on"
    small, large = sizes[0], sizes[-1]
    fewest, most = (column(rows, "operations", size=size).max() for size in (small, large))
    since = f"from {start} × {start} on" if start else f"not even at {large} × {large}"
    return Verdict(
        "holds" if start == small else text,
        f"multiplications and additions that one call replaces at {large} × {large}",
        *mean_interval(column(rows, "operations", size=large)),
        f"One call replaces {fewest:,.0f} operation of Python at {small} × {small} numbers and {most:,.0f} at "
        f"{large} × {large}; tensors are at least {settings.factor:g} times as fast {since}",
    )
