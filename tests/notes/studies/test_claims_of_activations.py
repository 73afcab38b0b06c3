"""Claims of the notes' section 2: each rule refuses a counter-example, each measure agrees with one made by hand."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional

from notes.networks.by_hand import cross_entropy, forward
from notes.networks.mlp import Mlp
from notes.params import load_params
from notes.studies import differentiable, higher_dimension, relu_speed
from notes.studies.shared.experiment import generator_for, sample
from notes.studies.shared.side_by_side import moons

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


def test_the_hidden_gradient_of_each_network_is_that_of_finite_differences_and_a_step_has_none():
    inputs, labels = moons(50, [np.random.default_rng(number) for number in range(2)])
    for activation in ("sigmoid", "relu", "step"):
        generators = [torch.Generator().manual_seed(number) for number in range(2)]
        networks = differentiable.start(activation, 3, generators).double()
        gradients = differentiable.hidden_gradients(networks, (inputs.double(), labels))
        for number, gradient in enumerate(gradients):
            network = Mlp(2, [3], 2).initialise(torch.Generator().manual_seed(number)).double()
            network.layers[1] = networks[1]
            weight, squares = network.layers[0].weight, 0.0
            for entry in np.ndindex(*weight.shape):
                ends = []
                for step in (1e-6, -1e-6):
                    with torch.no_grad():
                        weight[entry] += step
                        logits = network(inputs[number].double())
                        ends.append(functional.cross_entropy(logits, labels[number]).item())
                        weight[entry] -= step
                squares += ((ends[0] - ends[1]) / 2e-6) ** 2
            assert gradient == pytest.approx(squares**0.5, rel=1e-5)
            assert (squares == 0) == (activation == "step")


def test_a_borrowed_slope_changes_the_way_back_alone():
    sums = torch.linspace(-3, 3, 8, dtype=torch.float64, requires_grad=True)
    outputs = differentiable.BorrowedSlope()(sums)
    torch.testing.assert_close(outputs, (sums > 0).double())
    (slopes,) = torch.autograd.grad(outputs.sum(), [sums])
    torch.testing.assert_close(slopes, torch.sigmoid(sums) * (1 - torch.sigmoid(sums)))


DIMENSION = SETTINGS.higher_dimension.model_copy(update={"rows": 100, "widths": [2, 16], "repetitions": 2})


def test_a_linear_map_separates_nothing_and_neither_does_a_bend_without_a_further_dimension(monkeypatch):
    assert verdict_of(higher_dimension, DIMENSION) == "holds only with an activation"
    assert verdict_of(higher_dimension, DIMENSION.model_copy(update={"widths": [2]})) == "fails"
    monkeypatch.setattr(higher_dimension, "without_activation", lambda network: network)
    assert verdict_of(higher_dimension, DIMENSION) == "holds"


def test_a_higher_dimension_proves_nothing_where_a_straight_line_is_enough(monkeypatch):
    def apart(rows, randoms):
        inputs, labels = rings(rows, randoms)
        return inputs / 4 + 3 * labels[..., None], labels

    rings = higher_dimension.rings
    monkeypatch.setattr(higher_dimension, "rings", apart)
    assert verdict_of(higher_dimension, DIMENSION) == "fails"


def test_the_rings_have_no_line_between_them_and_their_squares_a_plane():
    inputs, labels = (part[0].numpy() for part in higher_dimension.rings(400, [np.random.default_rng(0)]))
    lifted = np.column_stack([inputs, (inputs**2).sum(axis=1)])
    assert LogisticRegression().fit(inputs, labels).score(inputs, labels) < 0.7
    assert LogisticRegression().fit(lifted, labels).score(lifted, labels) == 1


def test_a_linear_map_before_the_classifier_is_one_linear_classifier():
    networks = higher_dimension.start("linear", 8, "tanh", [torch.Generator().manual_seed(0)])
    points = torch.randn(1, 5, 2, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        networks(points[:, :1] + points[:, 1:]), networks(points[:, :1]) + networks(points[:, 1:])
    )


RELU = SETTINGS.relu_speed.model_copy(update={"depths": [1, 5], "repetitions": 8})


def falling(gains):
    """Rows of two learning rates, the second the better one, with the loss of sigmoid a multiple of that of ReLU."""
    return [
        {
            "depth": depth, "activation": activation, "learning_rate": rate, "repetition": repetition, "epoch": epoch,
            "loss": (gain * (1 + 0.1 * repetition) if activation == "sigmoid" else 1.0) / rate / epoch,
        }
        for depth, gain in gains.items()
        for activation in relu_speed.ACTIVATIONS
        for rate in (0.1, 0.2)
        for repetition in range(8)
        for epoch in (1, 2)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("gains", "text"),
    [({1: 2, 5: 3}, "holds"), ({1: 0.5, 5: 3}, "holds only for 5 hidden layers"), ({1: 0.5, 5: 0.5}, "fails")],
)
def test_relu_is_faster_only_where_the_loss_of_sigmoid_is_the_higher_one(gains, text):
    rows = falling(gains)
    assert relu_speed.judge(rows, RELU).text == text
    assert relu_speed.best_rate(rows, 5, "relu") == 0.2


def test_the_repetitions_that_choose_the_learning_rate_do_not_compare():
    rows = falling({1: 2, 5: 3})
    for row in rows:
        if row["repetition"] % 2 == 0 and row["activation"] == "sigmoid":
            row["loss"] /= 1000
    assert relu_speed.judge(rows, RELU).text == "holds"


def test_with_all_rows_in_one_batch_the_first_loss_is_the_cross_entropy_of_the_start_by_hand(monkeypatch, clouds):
    monkeypatch.setattr(relu_speed, "load_split", clouds)
    settings = RELU.model_copy(
        update={"depths": [3], "width": 8, "rows": 50, "epochs": 1, "learning_rates": [0.01], "repetitions": 1}
    )
    data = sample(clouds("mnist", "train"), 50, generator_for(SEED, 0))
    for row in relu_speed.measure(settings, SEED):
        network = Mlp(64, [8] * 3, 10, activation=row["activation"]).initialise(generator_for(SEED, 0, 1))
        layers = [
            (layer.weight.detach().numpy(), layer.bias.detach().numpy())
            for layer in network.layers
            if isinstance(layer, nn.Linear)
        ]
        logits = forward(layers, data.inputs, row["activation"])[-1]
        assert row["loss"] == pytest.approx(cross_entropy(logits, data.targets), rel=1e-4)


def test_a_run_that_diverges_keeps_the_loss_of_guessing(monkeypatch, clouds):
    monkeypatch.setattr(relu_speed, "load_split", clouds)
    monkeypatch.setattr(relu_speed, "descend", lambda *_: [torch.full((2,), torch.nan)] * RELU.epochs)
    rows = relu_speed.measure(RELU.model_copy(update={"repetitions": 2}), SEED)
    assert {row["loss"] for row in rows} == {float(torch.tensor(math.log(10)))}
