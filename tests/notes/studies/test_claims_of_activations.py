"""Claims of the notes' section 2: each rule refuses a counter-example, each measure agrees with one made by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from notes.params import load_params
from notes.studies import differentiable
from notes.studies.shared.points import moons

SETTINGS = load_params().study
SEED = np.random.SeedSequence(7)


def verdict_of(study, settings):
    return study.judge(study.measure(settings, SEED), settings).text


DIFFERENTIABLE = SETTINGS.differentiable.model_copy(update={"rows": 100, "steps": 100, "repetitions": 3})


@pytest.mark.parametrize(
    ("name", "function", "text"),
    [("relu", differentiable.Step, "holds"), ("step", nn.ReLU, "fails"), ("sigmoid", differentiable.Step, "fails")],
)
def test_differentiability_is_needed_if_what_is_flat_does_not_learn_and_not_if_it_does(
    monkeypatch, name, function, text
):
    monkeypatch.setitem(differentiable.FUNCTIONS, name, function)
    assert verdict_of(differentiable, DIFFERENTIABLE) == text


def test_the_hidden_gradient_is_that_of_finite_differences_and_a_step_has_none():
    points = moons(50, np.random.default_rng(0))
    points = points[0].double(), points[1]
    for activation in ("sigmoid", "relu", "step"):
        network = differentiable.start(activation, 3, torch.Generator().manual_seed(0)).double()
        weight, squares = network.layers[0].weight, 0.0
        for entry in np.ndindex(*weight.shape):
            ends = []
            for step in (1e-6, -1e-6):
                with torch.no_grad():
                    weight[entry] += step
                    ends.append(functional.cross_entropy(network(points[0]), points[1]).item())
                    weight[entry] -= step
            squares += ((ends[0] - ends[1]) / 2e-6) ** 2
        assert differentiable.hidden_gradient(network, points) == pytest.approx(squares**0.5, rel=1e-5)
        assert (squares == 0) == (activation == "step")


def test_a_borrowed_slope_changes_the_way_back_alone():
    sums = torch.linspace(-3, 3, 8, dtype=torch.float64, requires_grad=True)
    outputs = differentiable.BorrowedSlope()(sums)
    torch.testing.assert_close(outputs, (sums > 0).double())
    (slopes,) = torch.autograd.grad(outputs.sum(), [sums])
    torch.testing.assert_close(slopes, torch.sigmoid(sums) * (1 - torch.sigmoid(sums)))
