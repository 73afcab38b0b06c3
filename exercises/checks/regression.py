"""8 to 10: the gradient of a regression, the loop that descends it, the powers of a polynomial."""

from typing import NamedTuple

import numpy as np
import torch
from hypothesis import strategies

from checks import Exercise, Function, close, require
from notes.data.tasks import Split
from notes.networks.regression import Powers, ScratchRegression, fit_regression

STEP = 1e-6


class Line(NamedTuple):
    """Samples with targets, and a neuron without activation."""

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    bias: float

    def loss(self) -> float:
        """Return the mean squared error."""
        return float(((self.inputs @ self.weights + self.bias - self.targets) ** 2).mean())


def draw_line(seed: int) -> Line:
    """Return up to eight samples of up to four features."""
    generator = np.random.default_rng(seed)
    rows, features = generator.integers(5, 9), generator.integers(1, 5)
    inputs = generator.normal(size=(rows, features))
    return Line(inputs, generator.normal(size=rows), generator.normal(size=features), float(generator.normal()))


def model_of(line: Line, learning_rate: float = 0.05) -> ScratchRegression:
    """Return the project's neuron by hand with these weights."""
    weights, bias = torch.from_numpy(line.weights), torch.tensor([line.bias], dtype=torch.float64)
    return ScratchRegression(Powers(line.inputs.shape[1], 1), weights, bias, learning_rate)


def autograd(inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, bias: float) -> tuple[np.ndarray, float]:
    """Return the gradient that PyTorch finds."""
    model = model_of(Line(inputs, targets, weights, bias))
    model.loss(model(torch.from_numpy(inputs)), torch.from_numpy(targets)).backward()
    of_weights, of_bias = (parameter.grad for parameter in model.parameters())
    assert of_weights is not None
    assert of_bias is not None
    return of_weights.numpy(), of_bias.item()


def judge_gradient(result: list[np.ndarray], line: Line) -> None:
    """Hold it against finite differences."""
    units = STEP * np.eye(len(line.weights))
    slopes = [
        (line._replace(weights=line.weights + unit).loss() - line._replace(weights=line.weights - unit).loss())
        / (2 * STEP)
        for unit in units
    ]
    close(result[0], slopes, "the gradient of the weights", tolerance=1e-6)
    slope = (line._replace(bias=line.bias + STEP).loss() - line._replace(bias=line.bias - STEP).loss()) / (2 * STEP)
    close(result[1], slope, "the gradient of the bias", tolerance=1e-6)


def residuals(inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, bias: float) -> np.ndarray:
    """Return predictions minus targets."""
    errors: np.ndarray = inputs @ weights + bias - targets
    return errors


def gradient_with(factor: float = 2.0, mean: bool = True) -> Function:
    """Return a gradient with a mistake."""

    def run(inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, bias: float) -> tuple[np.ndarray, float]:
        errors = residuals(inputs, targets, weights, bias)
        scale = factor / (len(errors) if mean else 1)
        return scale * inputs.T @ errors, scale * errors.sum()

    return run


GRADIENT = Exercise(
    name="gradient",
    cases=strategies.integers(0, 2**16).map(draw_line),
    run=lambda function, line: [np.asarray(part, dtype=float) for part in function(*line)],
    judge=judge_gradient,
    solution=autograd,
    mistakes={
        "The derivative of a square has a factor 2.": gradient_with(factor=1.0),
        "The loss is a mean: divide by the number of samples.": gradient_with(mean=False),
        "Predictions minus targets, not the other way round: this one climbs.": gradient_with(factor=-2.0),
        "Each weight's derivative is weighed with its own input: inputs.T @ errors.": (
            lambda *line: (
                np.full(len(line[2]), 2 * residuals(*line).mean()),
                2 * residuals(*line).mean(),
            )
        ),
    },
)

ITERATIONS = 5


def run_descent(function: Function, line: Line) -> list[np.ndarray]:
    """Let a loop descend; return the weights and the bias where it ends."""
    model = model_of(line)
    function(model, torch.from_numpy(line.inputs), torch.from_numpy(line.targets), ITERATIONS)
    return [parameter.detach().numpy() for parameter in model.parameters()]


def judge_descent(result: list[np.ndarray], line: Line) -> None:
    """Take the same steps with the formula of the gradient."""
    weights, bias = line.weights, line.bias
    for _ in range(ITERATIONS):
        errors = residuals(line.inputs, line.targets, weights, bias)
        weights, bias = weights - 0.1 * line.inputs.T @ errors / len(errors), bias - 0.1 * errors.mean()
    close(result[0], weights, f"the weights after {ITERATIONS} iterations")
    close(result[1], [bias], f"the bias after {ITERATIONS} iterations")


def project_descent(model: ScratchRegression, inputs: torch.Tensor, targets: torch.Tensor, iterations: int) -> None:
    """Descend with the project's loop."""
    split = Split(inputs.numpy(), targets.numpy())
    for _ in fit_regression(model, split, split, max_iterations=iterations, tolerance=0.0):
        pass


def never_cleared(model: ScratchRegression, inputs: torch.Tensor, targets: torch.Tensor, iterations: int) -> None:
    for _ in range(iterations):
        model.loss(model(inputs), targets).backward()
        model.step()


def one_step(model: ScratchRegression, inputs: torch.Tensor, targets: torch.Tensor, iterations: int) -> None:
    project_descent(model, inputs, targets, 1)


def stale_predictions(model: ScratchRegression, inputs: torch.Tensor, targets: torch.Tensor, iterations: int) -> None:
    loss = model.loss(model(inputs), targets)
    for _ in range(iterations):
        model.zero_grad()
        loss.backward(retain_graph=True)
        model.step()


def cleared_too_late(model: ScratchRegression, inputs: torch.Tensor, targets: torch.Tensor, iterations: int) -> None:
    for _ in range(iterations):
        model.loss(model(inputs), targets).backward()
        model.zero_grad()
        model.step()


DESCEND = Exercise(
    name="descend",
    cases=strategies.integers(0, 2**16).map(draw_line),
    run=run_descent,
    judge=judge_descent,
    solution=project_descent,
    mistakes={
        "backward() adds to the gradients that are there: clear them in every iteration.": never_cleared,
        "That is one step: repeat it `iterations` times.": one_step,
        "Predictions and loss change with the weights: compute them again in every iteration.": stale_predictions,
        "zero_grad() comes before backward(): after it, the gradient that step() needs is gone.": cleared_too_late,
    },
)


class Samples(NamedTuple):
    """Features and a degree."""

    inputs: np.ndarray
    degree: int


def draw_samples(seed: int) -> Samples:
    """Return samples of one to three features, and a degree of two to four."""
    generator = np.random.default_rng(seed)
    shape = generator.integers(4, 9), generator.integers(1, 4)
    return Samples(generator.normal(loc=1.0, size=shape), int(generator.integers(2, 5)))


def project_powers(inputs: np.ndarray, degree: int) -> np.ndarray:
    """Return the project's standardised powers."""
    given = torch.from_numpy(inputs)
    powers: np.ndarray = Powers(inputs.shape[1], degree).fit(given)(given).numpy()
    return powers


def judge_powers(result: list[np.ndarray], samples: Samples) -> None:
    """Look at each column: mean 0, deviation 1, and a straight line of the power that it stands for."""
    inputs, degree = samples
    features = inputs.shape[1]
    (columns,) = result
    require(columns.shape == (len(inputs), features * degree), f"the shape is {columns.shape}, not (n, d · degree)")
    close(columns.mean(axis=0), np.zeros(features * degree), "the mean of a column")
    close(columns.std(axis=0), np.ones(features * degree), "the standard deviation of a column")
    for column in range(features * degree):
        power = inputs[:, column % features] ** (column // features + 1)
        together = np.corrcoef(columns[:, column], power)[0, 1]
        close(together, 1.0, f"the correlation of column {column} with its power")


def raw(inputs: np.ndarray, degree: int, first: int = 1) -> np.ndarray:
    """Return the powers as they are."""
    return np.hstack([inputs**power for power in range(first, degree + first)])


def standardised(columns: np.ndarray, freedom: int = 0) -> np.ndarray:
    """Return columns with mean 0 and deviation 1."""
    scaled: np.ndarray = (columns - columns.mean(axis=0)) / columns.std(axis=0, ddof=freedom)
    return scaled


POWERS = Exercise(
    name="powers",
    cases=strategies.integers(0, 2**16).map(draw_samples),
    run=lambda function, samples: [np.asarray(function(*samples))],
    judge=judge_powers,
    solution=project_powers,
    mistakes={
        "The powers are right; each column still needs mean 0 and standard deviation 1.": raw,
        "Divide by the deviation of these samples (ddof=0), not by an estimate of another set's (ddof=1).": (
            lambda inputs, degree: standardised(raw(inputs, degree), freedom=1)
        ),
        "Take the mean off first, then divide by the deviation.": (
            lambda inputs, degree: raw(inputs, degree) / raw(inputs, degree).std(axis=0)
        ),
        "The powers are 1 … degree: one too high.": lambda inputs, degree: standardised(raw(inputs, degree, first=2)),
    },
)
