"""The network against calculus and the papers that its start comes from."""

import warnings

import numpy as np
import pytest
import torch
from scipy import special, stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from notes.networks.extras import GaussianNoise
from notes.networks.mlp import ACTIVATIONS, Mlp

FORMULAS = {
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "gelu": lambda x: x * stats.norm.cdf(x),
}
# Away from zero, where the two rectifiers have no derivative.
POINTS = np.array([-3.0, -1.2, -0.4, 0.3, 0.9, 2.5])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_every_activation_has_a_formula_to_be_checked_against():
    assert ACTIVATIONS.keys() == FORMULAS.keys()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_its_formula_and_autograds_gradient_the_central_difference(name):
    points = torch.tensor(POINTS, requires_grad=True)
    values = ACTIVATIONS[name]()(points)
    np.testing.assert_allclose(values.detach(), FORMULAS[name](POINTS), rtol=1e-12, atol=1e-15)
    values.sum().backward()
    step = 1e-6
    slope = (FORMULAS[name](POINTS + step) - FORMULAS[name](POINTS - step)) / (2 * step)
    np.testing.assert_allclose(points.grad, slope, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_back_propagation_through_a_whole_network_agrees_with_finite_differences(name):
    network = Mlp(3, [4, 3], 2, activation=name).initialise(generator()).double()
    inputs = torch.randn(5, 3, generator=generator(1), dtype=torch.float64)
    labels = torch.tensor([0, 1, 1, 0, 1])
    parameters = dict(network.named_parameters())

    def loss(*values):
        logits = torch.func.functional_call(network, dict(zip(parameters, values, strict=True)), inputs)
        return torch.nn.functional.cross_entropy(logits, labels)

    assert torch.autograd.gradcheck(loss, tuple(parameters.values()))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_start_has_the_variance_that_he_or_glorot_propose_and_zero_biases(activation):
    sizes = [400, 300, 200, 500]
    network = Mlp(sizes[0], sizes[1:-1], sizes[-1], activation=activation).initialise(generator())
    linears = [layer for layer in network.layers if isinstance(layer, torch.nn.Linear)]
    for position, layer in enumerate(linears):
        fan_in, fan_out = sizes[position], sizes[position + 1]
        glorot = activation in ("sigmoid", "tanh") or position == len(linears) - 1
        expected = 2 / (fan_in + fan_out) if glorot else 2 / fan_in
        # The relative standard error of the variance of a uniform sample of n is √(0.8 / n).
        assert layer.weight.var().item() == pytest.approx(expected, rel=5 * (0.8 / layer.weight.numel()) ** 0.5)
        assert abs(layer.weight.mean().item()) < 5 * (expected / layer.weight.numel()) ** 0.5
        assert (layer.bias == 0).all()


def test_scikit_learns_start_is_uniform_within_its_own_bound_biases_too():
    inputs, labels = np.zeros((4, 50)), np.array([0, 1, 2, 0])
    theirs = MLPClassifier((4000,), max_iter=1, random_state=0, learning_rate_init=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(inputs, labels)
    ours = Mlp(50, [4000], 3).initialise(generator(), "glorot")
    linears = [layer for layer in ours.layers if isinstance(layer, torch.nn.Linear)]
    for layer, coefficients, intercepts in zip(linears, theirs.coefs_, theirs.intercepts_, strict=True):
        assert layer.weight.abs().max().item() == pytest.approx(np.abs(coefficients).max(), rel=0.01)
        assert layer.weight.var().item() == pytest.approx(coefficients.var(), rel=0.1)
        if len(intercepts) > 100:
            assert layer.bias.abs().max().item() == pytest.approx(np.abs(intercepts).max(), rel=0.01)
            assert layer.bias.var().item() == pytest.approx(intercepts.var(), rel=0.1)


def test_the_start_depends_on_the_generator_alone():
    def start(seed, global_seed):
        torch.manual_seed(global_seed)
        network = Mlp(5, [4], 3).initialise(generator(seed))
        return torch.cat([parameter.flatten() for parameter in network.parameters()])

    assert torch.equal(start(1, 1), start(1, 2))
    assert not torch.equal(start(1, 1), start(2, 1))


def test_the_layers_of_a_hidden_layer_come_in_the_documented_order():
    network = Mlp(3, [8, 5], 4, activation="gelu", dropout=0.3, batch_norm=True, noise=0.2)
    kinds = [type(layer).__name__ for layer in network.layers]
    hidden = ["Linear", "BatchNorm1d", "GaussianNoise", "GELU", "Dropout"]
    assert kinds == ["GaussianNoise", *hidden, *hidden, "Linear"]
    assert [type(layer).__name__ for layer in Mlp(3, [], 1).layers] == ["Linear"]


def test_noise_has_the_standard_deviation_asked_for_while_training_and_is_absent_afterwards():
    layer, inputs = GaussianNoise(0.3), torch.full((200, 500), 2.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        added = layer.train()(inputs) - inputs
    assert added.std().item() == pytest.approx(0.3, rel=0.02)
    assert added.mean().item() == pytest.approx(0, abs=0.01)
    assert torch.equal(layer.eval()(inputs), inputs)
