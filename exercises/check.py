"""Checks what you wrote for an exercise: python exercises/check.py 3, or `make exercise N=3`."""

import importlib
import importlib.util
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, settings

from checks import Case, Exercise, Function

HERE = Path(__file__).resolve().parent
EXAMPLES = 40
EXERCISES = (
    ("neuron", "SIGMOID"),
    ("neuron", "SLOPE"),
    ("neuron", "LAYER"),
    ("propagation", "FORWARD"),
    ("propagation", "SOFTMAX"),
    ("propagation", "CROSS_ENTROPY"),
    ("propagation", "BACKWARD"),
    ("regression", "GRADIENT"),
    ("regression", "DESCEND"),
    ("regression", "POWERS"),
    ("training", "BATCHES"),
    ("training", "EPOCH"),
)


class WrongError(Exception):
    """What is wrong with an attempt, in sentences."""


def exercise(number: int) -> Exercise:
    """Return an exercise by its number, from 1."""
    module, name = EXERCISES[number - 1]
    found: Exercise = getattr(importlib.import_module(f"checks.{module}"), name)
    return found


def check(task: Exercise, attempt: Function) -> None:
    """Try an attempt on many inputs; raise WrongError with what is wrong, and a hint where the mistake is known."""
    cases = invented(task)
    try:
        for case in cases:
            task.judge(outcome_of(task, attempt, case), case)
    except NotImplementedError:
        raise WrongError("it is not written yet: replace `raise NotImplementedError`.") from None
    except Exception as error:
        says = " ".join(str(error).split())
        what = says if says and isinstance(error, AssertionError) else f"{type(error).__name__} {says}".strip()
        hint = next((hint for hint, known in task.mistakes.items() if is_like(task, attempt, known, cases)), None)
        raise WrongError(f"{what}." + (f"\nHint: {hint}" if hint else "")) from None


def invented(task: Exercise) -> list[Case]:
    """Return inputs that Hypothesis invents, the same ones each time."""
    cases: list[Case] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(task.cases)
    def collect(case: Case) -> None:
        cases.append(case)

    collect()
    return cases


def outcome_of(task: Exercise, function: Function, case: Case) -> list[np.ndarray]:
    """Return what a function makes of a case; a warning of NumPy's is an error."""
    with warnings.catch_warnings(), np.errstate(divide="raise", over="raise", invalid="raise"):
        warnings.simplefilter("error")
        return task.run(function, case)


def is_like(task: Exercise, attempt: Function, mistake: Function, cases: list[Case]) -> bool:
    """Whether an attempt answers, or fails, in every case as a function with a known mistake does."""
    return all(described(task, attempt, case) == described(task, mistake, case) for case in cases)


def described(task: Exercise, function: Function, case: Case) -> Any:
    """Return an outcome as something to compare: rounded numbers, or the kind of the error."""
    try:
        return [(array.shape, np.round(array.astype(float), 7).tolist()) for array in outcome_of(task, function, case)]
    except Exception as error:
        return type(error)


def attempt_at(number: int) -> Function:
    """Return the function of the learner's file; raise WrongError when Python cannot read it."""
    (file,) = HERE.glob(f"{number:02d}_*.py")
    specification = importlib.util.spec_from_file_location(file.stem, file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
        written: Function = getattr(module, exercise(number).name)
    except Exception as error:
        raise WrongError(f"{file.name} cannot be read: {type(error).__name__}: {error}.") from None
    return written


def main() -> None:
    """Check the exercise that the command line names; exit with 1 when it is wrong, with 2 when there is none."""
    if len(sys.argv) != 2 or not sys.argv[1].isdigit() or not 1 <= int(sys.argv[1]) <= len(EXERCISES):
        print(f"usage: make exercise N=1, up to N={len(EXERCISES)}; each is a file in exercises/", file=sys.stderr)
        sys.exit(2)
    number = int(sys.argv[1])
    torch.set_num_threads(1)
    task = exercise(number)
    try:
        check(task, attempt_at(number))
    except WrongError as wrong:
        print(f"Exercise {number}, {task.name}: {wrong}")
        sys.exit(1)
    further = f" Next: make exercise N={number + 1}" if number < len(EXERCISES) else " That was the last one."
    print(f"Exercise {number}, {task.name}: right, on {EXAMPLES} inputs.{further}")


if __name__ == "__main__":
    main()
