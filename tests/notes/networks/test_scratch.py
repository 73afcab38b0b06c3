"""Regression by hand and with nn.Linear: the same gradients, the same steps, and the least-squares solution."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression as LeastSquares
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from notes.data.tasks import Split
from notes.files import UserError, digest
from notes.networks.gradient_descent import fit_regression
from notes.networks.modules import Mlp, Powers, save_network
from notes.networks.scratch import ModuleRegression, ScratchRegression, initial_parameters, load_pretrained
from notes.networks.training import NonFiniteLossError

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
    loss = model.loss(torch.from_numpy(split.inputs), torch.from_numpy(split.targets))
    model.zero_grad()
    loss.backward()
    return loss.item(), [gradient.flatten().numpy().copy() for gradient in model.gradients()]


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
        return model.loss(inputs, targets)

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
            model.update()
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
        model.update()
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


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_pretrained_start_from_the_solution_needs_one_iteration_whatever_data_standardised_it(
    tmp_path, implementation
):
    split, powers = data(degree=2)
    solved = ScratchRegression(powers, *start(powers), 0.1)
    train(solved, split, tolerance=1e-11)
    path = tmp_path / "solved.safetensors"
    save_network(path, solved.to_network())
    pretrained = load_pretrained(str(path), digest(path))

    weight, bias = initial_parameters("pretrained", powers, torch.Generator(), pretrained)
    assert [record["epoch"] for record in train(implementation(powers, weight, bias, 0.1), split, tolerance=1e-8)] == [
        1
    ]

    _, others = data(degree=2, seed=9)
    moved = implementation(others, *initial_parameters("pretrained", others, torch.Generator(), pretrained), 0.1)
    np.testing.assert_allclose(moved.to_network().coefficients(), solved.to_network().coefficients(), rtol=1e-9)


def test_a_pretrained_file_that_is_not_the_one_named_or_does_not_fit_is_refused(tmp_path):
    _, powers = data()
    path = tmp_path / "model.safetensors"
    save_network(path, ScratchRegression(powers, *start(powers), 0.1).to_network())
    assert load_pretrained(None, None) is None
    with pytest.raises(UserError, match=f"has the MD5 {digest(path)}, not {'0' * 32}: "):
        load_pretrained(str(path), "0" * 32)
    with pytest.raises(UserError, match="is missing: restore it"):
        load_pretrained(str(tmp_path / "absent"), "0" * 32)
    pretrained = load_pretrained(str(path), digest(path))
    _, higher = data(degree=2)
    with pytest.raises(UserError, match="has 3 weights, this one 6"):
        initial_parameters("pretrained", higher, torch.Generator(), pretrained)
    save_network(path, Mlp(3, [], 1))
    with pytest.raises(UserError, match="is no regression model"):
        load_pretrained(str(path), digest(path))


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
    with pytest.raises(NonFiniteLossError, match=r"no longer finite in iteration \d+: lower learning_rate\.$"):
        train(implementation(powers, *start(powers), 1e3), split)
