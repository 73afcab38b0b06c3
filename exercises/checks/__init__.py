"""The checks of the exercises: what a right function must do, and the mistakes that are made most often.

A check rests on an oracle: a definition, an identity, finite differences, a closed form. A mistake is a function that
makes it; an attempt that answers as it does gets its hint.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies

Function = Callable[..., Any]
Case = Any


@dataclass(frozen=True)
class Exercise:
    """One function to write.

    `cases` invents inputs; `run` calls a function on one and returns arrays; `judge` raises AssertionError, with a
    sentence, where they are wrong. `solution` is the project's own function; `mistakes` are functions by their hint.
    """

    name: str
    cases: "strategies.SearchStrategy[Case]"
    run: Callable[[Function, Case], list[np.ndarray]]
    judge: Callable[[list[np.ndarray], Case], None]
    solution: Function
    mistakes: Mapping[str, Function]


def require(holds: object, sentence: str) -> None:
    """Raise AssertionError with the sentence unless it holds."""
    if not holds:
        raise AssertionError(sentence)


def close(found: Any, expected: Any, what: str, tolerance: float = 1e-9) -> None:
    """Require arrays of one shape and nearly equal numbers, all finite."""
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    require(found.shape == expected.shape, f"{what} has the shape {found.shape}, expected {expected.shape}")
    size = np.abs(expected).max(initial=1.0)
    wrong = ~(np.abs(found - expected) <= tolerance * size)  # NaN too
    if wrong.any():
        place = tuple(int(index[0]) for index in np.nonzero(wrong))
        raise AssertionError(f"{what} is {found[place]:.6g} at {place}, expected {expected[place]:.6g}")


def generators() -> "strategies.SearchStrategy[np.random.Generator]":
    """Return random generators, whose seed is what Hypothesis makes small."""
    return strategies.integers(0, 2**16).map(np.random.default_rng)
