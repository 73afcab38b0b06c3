"""The exercises' checks let the solutions pass and catch every known mistake, with its own hint."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import check

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = range(1, len(check.EXERCISES) + 1)
MISTAKES = [(number, hint) for number in NUMBERS for hint in check.exercise(number).mistakes]


@pytest.mark.parametrize("number", NUMBERS)
def test_the_projects_own_function_is_a_solution(number: int) -> None:
    task = check.exercise(number)
    check.check(task, task.solution)


@pytest.mark.parametrize(("number", "hint"), MISTAKES)
def test_a_typical_mistake_is_caught_and_gets_its_hint(number: int, hint: str) -> None:
    task = check.exercise(number)
    with pytest.raises(check.WrongError) as wrong:
        check.check(task, task.mistakes[hint])
    assert str(wrong.value).endswith(f"Hint: {hint}")


@pytest.mark.parametrize("number", NUMBERS)
def test_what_is_not_written_is_called_so(number: int) -> None:
    with pytest.raises(check.WrongError, match="not written yet"):
        check.check(check.exercise(number), check.attempt_at(number))


def test_there_are_mistakes_enough() -> None:
    assert len(MISTAKES) >= 30


def test_a_mistake_that_nobody_thought_of_is_caught_without_a_hint() -> None:
    with pytest.raises(check.WrongError) as wrong:
        check.check(check.exercise(1), lambda z: np.full_like(z, 0.25))
    assert "Hint" not in str(wrong.value)
    assert "expected" in str(wrong.value)


def test_a_file_that_python_cannot_read_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "03_layer.py").write_text("def layer(:")
    monkeypatch.setattr(check, "HERE", tmp_path)
    with pytest.raises(check.WrongError, match=r"03_layer.py cannot be read: SyntaxError"):
        check.attempt_at(3)


@pytest.mark.parametrize("argument", ["0", "13", "one"])
def test_a_number_that_is_none_says_which_there_are(argument: str) -> None:
    called = subprocess.run(
        [sys.executable, ROOT / "exercises/check.py", argument], capture_output=True, text=True, cwd=ROOT
    )
    assert called.returncode == 2
    assert "up to N=12" in called.stderr
