"""The networks against calculus, scikit-learn and the papers that their start comes from; and their model files."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special, stats
from sklearn.linear_model import LinearRegression as LeastSquares
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from notes.files import UserError, load_tensors, save_tensors
from notes.networks.modules import (
    ACTIVATIONS,
    GaussianNoise,
    LinearRegression,
    Mlp,
    Powers,
    build,
    load_network,
    predict,
    save_network,
)

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


def regression(features=2, degree=3, seed=0):
    """Return a regression with random weights on powers standardised with random data, and that data."""
    inputs = torch.from_numpy(np.random.default_rng(seed).normal(1.0, 2.0, (50, features)))
    network = LinearRegression(features, degree)
    network.powers.fit(inputs)
    with torch.no_grad():
        network.linear.weight.copy_(torch.randn(1, features * degree, generator=generator(seed)))
        network.linear.bias.fill_(0.7)
    return network, inputs.numpy()


def trained_mlp():
    """Return a network with every kind of layer, whose running statistics are not the initial ones."""
    options = {"dropout": 0.3, "batch_norm": True, "input_dropout": 0.1, "noise": 0.2}
    network = Mlp(3, [8, 5], 4, activation="gelu", **options).initialise(generator())
    torch.manual_seed(0)
    network.train()(torch.randn(64, 3) * 2 + 1)
    return network


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


@settings(deadline=None)
@given(degree=st.integers(1, 5), seed=st.integers(0, 1000))
def test_powers_of_one_feature_are_scikit_learns_standardised(degree, seed):
    inputs = np.random.default_rng(seed).uniform(-2, 2, (30, 1))
    expected = make_pipeline(PolynomialFeatures(degree, include_bias=False), StandardScaler()).fit_transform(inputs)
    powers = Powers(1, degree).fit(torch.from_numpy(inputs))
    np.testing.assert_allclose(powers(torch.from_numpy(inputs)), expected, rtol=1e-9, atol=1e-10)


def test_powers_of_several_features_are_scikit_learns_without_the_cross_terms():
    rng = np.random.default_rng(0)
    inputs, others = rng.standard_normal((40, 3)), rng.standard_normal((7, 3))
    oracle = make_pipeline(PolynomialFeatures(3, include_bias=False), StandardScaler()).fit(inputs)
    exponents = oracle[0].powers_
    pure = np.flatnonzero((exponents > 0).sum(axis=1) == 1)
    order = sorted(pure, key=lambda column: (exponents[column].sum(), exponents[column].argmax()))
    powers = Powers(3, 3).fit(torch.from_numpy(inputs))
    np.testing.assert_allclose(powers(torch.from_numpy(others)), oracle.transform(others)[:, order], rtol=1e-10)


@settings(deadline=None)
@given(value=st.floats(-1e3, 1e3), rows=st.integers(1, 300), degree=st.integers(1, 3))
def test_a_constant_column_keeps_scale_1_whatever_rounding_does(value, rows, degree):
    powers = Powers(1, degree).fit(torch.full((rows, 1), value, dtype=torch.float64))
    assert (powers.scale == 1).all()


@settings(deadline=None)
@given(features=st.integers(1, 3), degree=st.integers(1, 4), seed=st.integers(0, 100))
def test_the_coefficients_reproduce_the_predictions_as_a_raw_polynomial(features, degree, seed):
    network, inputs = regression(features, degree, seed)
    coefficients = network.coefficients()
    assert coefficients.shape == (1 + features * degree,)
    weights = coefficients[1:].reshape(degree, features)
    by_hand = coefficients[0] + sum(inputs**power @ weights[power - 1] for power in range(1, degree + 1))
    np.testing.assert_allclose(by_hand, predict(network, inputs), rtol=1e-8, atol=1e-8)


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


def test_the_start_depends_on_the_generator_alone():
    def start(seed, global_seed):
        torch.manual_seed(global_seed)
        network = Mlp(5, [4], 3).initialise(generator(seed))
        return torch.cat([parameter.flatten() for parameter in network.parameters()])

    assert torch.equal(start(1, 1), start(1, 2))
    assert not torch.equal(start(1, 1), start(2, 1))


def test_the_layers_of_a_hidden_layer_come_in_the_documented_order():
    kinds = [type(layer).__name__ for layer in trained_mlp().layers]
    hidden = ["Linear", "BatchNorm1d", "GaussianNoise", "GELU", "Dropout"]
    assert kinds == ["Dropout", "GaussianNoise", *hidden, *hidden, "Linear"]
    assert [type(layer).__name__ for layer in Mlp(3, [], 1).layers] == ["Linear"]


def test_one_logit_and_two_logits_give_the_probabilities_of_the_textbook():
    inputs = np.random.default_rng(0).standard_normal((2500, 3)).astype(np.float32)
    binary = Mlp(3, [], 1).initialise(generator())
    positive = special.expit(binary(torch.from_numpy(inputs)).detach().numpy().astype(float)[:, 0])
    np.testing.assert_allclose(predict(binary, inputs), np.column_stack([1 - positive, positive]), atol=1e-7)
    several = Mlp(3, [4], 5).initialise(generator())
    logits = several(torch.from_numpy(inputs)).detach().numpy().astype(float)
    np.testing.assert_allclose(predict(several, inputs), special.softmax(logits, axis=1), atol=1e-7)


def test_noise_has_the_standard_deviation_asked_for_while_training_and_is_absent_afterwards():
    layer, inputs = GaussianNoise(0.3), torch.full((200, 500), 2.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        added = layer.train()(inputs) - inputs
    assert added.std().item() == pytest.approx(0.3, rel=0.02)
    assert added.mean().item() == pytest.approx(0, abs=0.01)
    assert torch.equal(layer.eval()(inputs), inputs)


def test_predictions_leave_dropout_and_noise_out_and_do_not_depend_on_the_other_rows():
    network = trained_mlp().train()
    inputs = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    whole = predict(network, inputs)
    np.testing.assert_array_equal(predict(network, inputs), whole)
    np.testing.assert_allclose(
        np.concatenate([predict(network, inputs[i : i + 1]) for i in range(20)]), whole, rtol=1e-5
    )


@pytest.mark.parametrize("make", [trained_mlp, lambda: regression()[0], lambda: Mlp(2, [], 1).initialise(generator())])
def test_a_saved_network_comes_back_bit_by_bit_and_ready_for_inference(tmp_path, make):
    network = make()
    save_network(tmp_path / "a.safetensors", network)
    save_network(tmp_path / "another name.safetensors", network)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "another name.safetensors").read_bytes()
    loaded = load_network(tmp_path / "a.safetensors")
    assert not loaded.training
    assert loaded.architecture() == network.architecture()
    before, after = network.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": [3, 9, 5, 4]},
        {"sizes": [3, 8, 4]},
        {"sizes": [3]},
        {"sizes": []},
        {"sizes": None},
        {"sizes": [3, -8, 5, 4]},
        {"activation": "swish"},
        {"dropout": 3.0},
        {"kind": "forest"},
        {"kind": "linear_regression"},
        {"batch_norm": False},
    ],
)
def test_a_file_whose_weights_do_not_fit_its_architecture_is_one_sentence(tmp_path, changes):
    path = tmp_path / "model.safetensors"
    save_network(path, trained_mlp())
    tensors, architecture = load_tensors(path)
    save_tensors(path, tensors, architecture | changes)
    with pytest.raises(
        UserError, match=r"does not hold the network it describes .*: restore it with `dvc repro`"
    ) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


def test_build_makes_what_architecture_describes():
    for network in (trained_mlp(), regression()[0]):
        assert repr(build(network.architecture())) == repr(network)


@settings(deadline=None)
@given(inputs=hnp.arrays(np.float64, (12, 2), elements=st.floats(-3, 3)))
def test_a_regression_with_least_squares_weights_predicts_what_scikit_learn_predicts(inputs):
    targets = np.sin(inputs.sum(axis=1))
    oracle = LeastSquares().fit(inputs, targets)
    network = LinearRegression(2, 1)  # not standardised: mean 0 and scale 1
    with torch.no_grad():
        network.linear.weight.copy_(torch.from_numpy(oracle.coef_[None]))
        network.linear.bias.fill_(float(oracle.intercept_))
    np.testing.assert_allclose(predict(network, inputs), oracle.predict(inputs), rtol=1e-9, atol=1e-9)
