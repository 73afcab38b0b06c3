"""The runs that the widget of gradient descent shows: those of the pipeline's loop, checked against closed forms."""

import json
from pathlib import Path

import numpy as np
import pytest

from notes.book.gradient_descent import LEARNING_RATE, SEED, TOLERANCE, beginning, compute, curvature, descend
from notes.data.tasks import Split
from notes.settings import read_settings

RANDOM = np.random.default_rng(11)
INPUTS = RANDOM.normal(3, 2, (40, 1))
DATA = Split(INPUTS, 1.5 * INPUTS[:, 0] - 2 + RANDOM.normal(size=40))
STANDARD = (INPUTS[:, 0] - INPUTS.mean()) / INPUTS.std()
DESIGN = np.column_stack([STANDARD, np.ones(40)])


def test_the_settings_are_those_of_the_pipeline() -> None:
    settings = read_settings("train_regression", "linear", "scratch", file=Path(__file__).parents[3] / "params.yaml")
    assert (settings.seed, settings.learning_rate, settings.tolerance) == (SEED, LEARNING_RATE, TOLERANCE)
    assert (settings.degree, settings.initialisation) == (1, "randn")


def test_curvature_is_that_of_least_squares() -> None:
    hessian, minimum, least = curvature(beginning(DATA), DATA)
    solution, (residual,), *_ = np.linalg.lstsq(DESIGN, DATA.targets, rcond=None)
    np.testing.assert_allclose(hessian, 2 * DESIGN.T @ DESIGN / 40, atol=1e-12)
    np.testing.assert_allclose(minimum, solution, atol=1e-12)
    assert least == pytest.approx(residual / 40, rel=1e-12)


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.9, 1.05])
def test_each_step_follows_the_gradient(rate: float) -> None:
    states = np.array(descend(beginning(DATA), rate, DATA, DATA, cleared=True).states)
    errors = states[:, :2] @ DESIGN.T - DATA.targets
    gradients = 2 * errors @ DESIGN / 40
    np.testing.assert_allclose(states[:, 2], (errors**2).mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(states[:, 3:], gradients, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(states[1:, :2], (states - rate * np.roll(states, -3, axis=1))[:-1, :2], rtol=1e-12)
    steepest = np.abs(states[:, 3:]).max(axis=1)
    assert (steepest[:-1] > TOLERANCE).all()
    assert len(states) == 120 or steepest[-1] <= TOLERANCE


def test_without_clearing_the_gradients_add_up() -> None:
    states = np.array(descend(beginning(DATA), 0.5, DATA, DATA, cleared=False).states)
    gradients = 2 * (states[:, :2] @ DESIGN.T - DATA.targets) @ DESIGN / 40
    np.testing.assert_allclose(states[:, 3:], gradients.cumsum(axis=0), atol=1e-9)
    assert len(states) == 120  # though their sum is zero at times


def test_the_same_bytes_on_each_run(tmp_path: Path) -> None:
    table = tmp_path / "data/linear/development/table.csv"
    table.parent.mkdir(parents=True)
    splits = ["train", "validation"] * 20
    rows = [f"{x},{y},{split}" for x, y, split in zip(INPUTS[:, 0], DATA.targets, splits, strict=True)]
    table.write_text("\n".join(["x1,y,split", *rows]) + "\n")
    first, second = compute(tmp_path), compute(tmp_path)
    assert first["picture.png"] == second["picture.png"]
    assert json.dumps(first["data.json"], allow_nan=False) == json.dumps(second["data.json"])
    assert {run["cleared"] for run in first["data.json"]["runs"]} == {True, False}
