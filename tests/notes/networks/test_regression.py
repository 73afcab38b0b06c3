"""Regression by hand and with nn.Linear: the same gradients, the same steps, and the least-squares solution."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression as LeastSquares
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from notes.data.tasks import Split
from notes.files import UserError
from notes.networks.regression import ModuleRegression, Powers, ScratchRegression, fit_regression, initial_parameters

IMPLEMENTATIONS = [ScratchRegression, ModuleRegression]


def data(features=3, rows=80, degree=1, seed=0):
    """Return a split with correlated features, far from zero unless powers are taken, and powers fitted to it."""
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(-2, 2, (rows, features)) @ (np.eye(features) + 0.3)
    inputs += 5 if degree == 1 else 0.1
    targets = inputs @ np.arange(1.0, features + 1) - 2 + 0.1 * (inputs**degree).sum(axis=1)
    targets += rng.standard_normal(rows)
    return Split(inputs, targets), Powers(features, degree).fit(torch.from_numpy(inputs))


def start(powers, initialisation="randn", seed=0):
    return initial_parameters(initialisation, powers, torch.Generator().manual_seed(seed))


def backward(model, split):
    loss = model.loss(model(torch.from_numpy(split.inputs)), torch.from_numpy(split.targets))
    model.zero_grad()
    loss.backward()
    return loss.item(), [parameter.grad.flatten().numpy().copy() for parameter in model.parameters()]


def train(model, split, max_iterations=50_000, tolerance=1e-9):
    return list(fit_regression(model, split, split, max_iterations=max_iterations, tolerance=tolerance))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_gradient_is_the_formula_of_the_notes_and_the_central_difference(implementation):
    split, powers = data()
    weight, bias = start(powers)
    loss, (of_weight, of_bias) = backward(implementation(powers, weight, bias, 0.1), split)

    z = powers(torch.from_numpy(split.inputs)).numpy()

    def squares(parameters):
        return np.mean((z @ parameters[:-1] + parameters[-1] - split.targets) ** 2)

    parameters = np.append(weight.numpy(), bias.numpy())
    assert loss == pytest.approx(squares(parameters), rel=1e-12)
    residual = z @ parameters[:-1] + parameters[-1] - split.targets
    np.testing.assert_allclose(of_weight, 2 / len(z) * z.T @ residual, rtol=1e-10)
    np.testing.assert_allclose(of_bias, [2 * residual.mean()], rtol=1e-10)
    step = 1e-5
    shifts = np.eye(len(parameters)) * step
    slopes = [(squares(parameters + shift) - squares(parameters - shift)) / (2 * step) for shift in shifts]
    np.testing.assert_allclose(np.append(of_weight, of_bias), slopes, rtol=1e-7, atol=1e-7)


def test_gradcheck_accepts_the_loss_by_hand():
    split, powers = data(rows=10)
    model = ScratchRegression(powers, *start(powers), 0.1)
    inputs, targets = torch.from_numpy(split.inputs), torch.from_numpy(split.targets)

    def loss(weight, bias):
        model.weight, model.bias = weight, bias
        return model.loss(model(inputs), targets)

    assert torch.autograd.gradcheck(loss, (model.weight, model.bias))


@pytest.mark.parametrize("initialisation", ["zeros", "randn"])
def test_scratch_and_module_take_identical_steps_from_the_same_start(initialisation):
    split, powers = data(degree=2)
    models = [implementation(powers, *start(powers, initialisation), 0.1) for implementation in IMPLEMENTATIONS]
    for _ in range(20):
        (loss, gradients), (other_loss, other_gradients) = (backward(model, split) for model in models)
        assert loss == pytest.approx(other_loss, rel=1e-13)
        for gradient, other in zip(gradients, other_gradients, strict=True):
            np.testing.assert_allclose(gradient, other, rtol=1e-10, atol=1e-12)
        for model in models:
            model.step()
        scratch, module = (model.to_network().coefficients() for model in models)
        np.testing.assert_allclose(scratch, module, rtol=1e-12)


def test_a_step_goes_down_the_gradient_by_the_learning_rate_and_gradients_do_not_pile_up():
    split, powers = data()
    for implementation in IMPLEMENTATIONS:
        model = implementation(powers, *start(powers), 0.25)
        _, (gradient, _) = backward(model, split)
        _, (again, _) = backward(model, split)
        np.testing.assert_array_equal(again, gradient)
        before = model.to_network().linear.weight.detach().numpy()[0].copy()
        model.step()
        after = model.to_network().linear.weight.detach().numpy()[0]
        np.testing.assert_allclose(after, before - 0.25 * gradient, rtol=1e-12)


@pytest.mark.parametrize(("features", "degree"), [(1, 1), (4, 1), (1, 3), (2, 2)])
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_gradient_descent_reaches_the_least_squares_solution(implementation, features, degree):
    split, powers = data(features, degree=degree)
    model = implementation(powers, *start(powers), 0.1)
    history = train(model, split)
    found = model.to_network().coefficients()
    raw = np.hstack([split.inputs**power for power in range(1, degree + 1)])
    closed_form = np.linalg.lstsq(np.column_stack([np.ones(len(raw)), raw]), split.targets, rcond=None)[0]
    np.testing.assert_allclose(found, closed_form, rtol=1e-4)
    if features == 1 or degree == 1:
        pipeline = make_pipeline(PolynomialFeatures(degree, include_bias=False), LeastSquares())
        oracle = pipeline.fit(split.inputs, split.targets)[-1]
        np.testing.assert_allclose(found, [oracle.intercept_, *oracle.coef_], rtol=1e-4)
    assert history[-1]["train/largest_gradient"] <= 1e-9
    assert history[-1]["epoch"] < 50_000


def test_adam_reaches_the_least_squares_solution_too():
    split, powers = data(2)
    model = ModuleRegression(powers, *start(powers), 0.05, "adam")
    train(model, split, tolerance=1e-6)
    oracle = LeastSquares().fit(split.inputs, split.targets)
    np.testing.assert_allclose(model.to_network().coefficients(), [oracle.intercept_, *oracle.coef_], rtol=1e-4)


def test_starts_are_zero_or_standard_normal_with_a_bias_of_zero():
    powers = Powers(1000, 4)
    weight, bias = start(powers, "zeros")
    assert not weight.any()
    assert not bias.any()
    weight, bias = start(powers, "randn")
    assert not bias.any()
    assert weight.mean().item() == pytest.approx(0, abs=5 / len(weight) ** 0.5)
    assert weight.var().item() == pytest.approx(1, abs=5 * (2 / len(weight)) ** 0.5)
    assert torch.equal(weight, start(powers, "randn")[0])
    assert not torch.equal(weight, start(powers, "randn", seed=1)[0])


def test_the_records_are_ten_a_decade_and_the_last_one_is_always_there():
    split, powers = data()
    history = train(ScratchRegression(powers, *start(powers), 1e-6), split, max_iterations=1234, tolerance=0.0)
    epochs = [record["epoch"] for record in history]
    assert epochs[0] == 1
    assert epochs[-1] == 1234
    assert all(later / earlier >= 10**0.1 for earlier, later in itertools.pairwise(epochs[:-1]))
    assert 20 < len(epochs) < 32
    losses = [record["train/loss"] for record in history]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_learning_rate_that_diverges_stops_the_training_and_names_the_iteration(implementation):
    split, powers = data()
    with pytest.raises(UserError, match=r"no longer finite in iteration \d+: lower learning_rate\.$"):
        train(implementation(powers, *start(powers), 1e3), split)


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


@given(value=st.floats(-1e3, 1e3), rows=st.integers(1, 300), degree=st.integers(1, 3))
def test_a_constant_column_keeps_scale_1_whatever_rounding_does(value, rows, degree):
    powers = Powers(1, degree).fit(torch.full((rows, 1), value, dtype=torch.float64))
    assert (powers.scale == 1).all()


@given(features=st.integers(1, 3), degree=st.integers(1, 4), seed=st.integers(0, 100))
def test_the_coefficients_reproduce_the_predictions_as_a_raw_polynomial(features, degree, seed):
    split, powers = data(features, degree=degree, seed=seed)
    network = ScratchRegression(powers, *start(powers, seed=seed), 0.1).to_network()
    coefficients = network.coefficients()
    assert coefficients.shape == (1 + features * degree,)
    weights = coefficients[1:].reshape(degree, features)
    by_hand = coefficients[0] + sum(split.inputs**power @ weights[power - 1] for power in range(1, degree + 1))
    found = network(torch.from_numpy(split.inputs)).detach()
    np.testing.assert_allclose(by_hand, found, rtol=1e-8, atol=1e-8)
