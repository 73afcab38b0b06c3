"""Every step of the pipeline's linear regression, at learning rates from too small to diverging.

Sections 5 and 6 of the notes: the best line as an optimisation, one neuron, and why gradients are cleared. The loop is
`fit_regression` and the neuron ScratchRegression, as `train_regression` uses them.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from notes.book.pictures import png
from notes.data.tasks import Split, load_split
from notes.figures.canvas import GREY, MARKERS, SERIES, canvas, styled
from notes.networks.regression import Powers, ScratchRegression, fit_regression, initial_parameters, largest_gradient

# As train_regression.linear.scratch in params.yaml, but for the number of steps, which is that of the slider at most.
SEED, LEARNING_RATE, TOLERANCE = 7, 0.1, 1e-9
STEPS = 120
OF_EDGE = (0.01, 0.5, 0.9, 1.0, 1.05)  # further learning rates, as shares of 2/λ, from which on descent diverges


class Recorded(ScratchRegression):
    """The neuron by hand, which writes down where it stands before each step, and can be kept from clearing.

    A row of `states`: weight, bias, loss, and the gradients of weight and bias that the next step follows.
    """

    def __init__(self, start: tuple[Powers, Tensor, Tensor], rate: float, train: Split, *, cleared: bool) -> None:
        super().__init__(*start, rate)
        self.inputs, self.targets = torch.from_numpy(train.inputs), torch.from_numpy(train.targets)
        self.cleared = cleared
        self.states: list[list[float]] = []

    def zero_grad(self) -> None:
        if self.cleared:
            super().zero_grad()

    def step(self) -> None:
        self.record()
        super().step()

    @torch.no_grad()
    def record(self) -> None:
        """Add a row for where the neuron stands."""
        loss = self.loss(self(self.inputs), self.targets)
        gradients = [parameter.grad for parameter in self.parameters()]
        values = [*self.parameters(), loss, *(gradient for gradient in gradients if gradient is not None)]
        self.states.append([value.item() for value in values])


def compute(root: Path) -> dict[str, Any]:
    """Return data.json, the points and all runs, and the picture."""
    train, validation = (load_split("linear", split, root) for split in ("train", "validation"))
    start = beginning(train)
    hessian, minimum, least = curvature(start, train)
    edge = 2 / float(np.linalg.eigvalsh(hessian).max())
    rates = sorted({LEARNING_RATE, *(round(share * edge, 3) for share in OF_EDGE)})
    ended = {
        (rate, cleared): descend(start, rate, train, validation, cleared=cleared)
        for cleared in (True, False)
        for rate in rates
    }
    runs = [
        {"rate": rate, "cleared": cleared, "states": [[float(f"{value:.7g}") for value in row] for row in model.states]}
        for (rate, cleared), model in ended.items()
    ]
    powers = start[0]
    return {
        "data.json": {
            "points": np.round(np.column_stack([train.inputs, train.targets]), 3).tolist(),
            "mean": powers.mean.item(),
            "scale": powers.scale.item(),
            "hessian": hessian.round(9).tolist(),
            "minimum": minimum.tolist(),
            "least": least,
            "edge": round(edge, 9),
            "pipeline": LEARNING_RATE,
            "coefficients": ended[LEARNING_RATE, True].to_network().coefficients().tolist(),
            "tolerance": TOLERANCE,
            "runs": runs,
        },
        "picture.png": png(draw(train, powers, runs, least)),
    }


def beginning(train: Split) -> tuple[Powers, Tensor, Tensor]:
    """Return the standardised feature, and the weight (1,) and bias (1,) that training starts from."""
    powers = Powers(train.inputs.shape[1], 1).fit(torch.from_numpy(train.inputs))
    return powers, *initial_parameters("randn", powers, torch.Generator().manual_seed(SEED))


def curvature(start: tuple[Powers, Tensor, Tensor], train: Split) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the loss's Hessian (2, 2) over weight and bias, where they make it least (2,), and its value there.

    The loss is quadratic: one step of Newton's leads to the minimum from anywhere.
    """
    inputs, targets = torch.from_numpy(train.inputs), torch.from_numpy(train.targets)
    powers, weight, bias = start

    def loss(both: Tensor) -> Tensor:
        error: Tensor = ((powers(inputs) @ both[:1] + both[1:] - targets) ** 2).mean()
        return error

    place = torch.cat([weight, bias]).requires_grad_()
    hessian = torch.autograd.functional.hessian(loss, place)
    (gradient,) = torch.autograd.grad(loss(place), place)
    minimum = place.detach().numpy() - np.linalg.solve(hessian.numpy(), gradient.numpy())
    return hessian.numpy(), minimum, loss(torch.from_numpy(minimum)).item()


def descend(
    start: tuple[Powers, Tensor, Tensor], rate: float, train: Split, validation: Split, *, cleared: bool
) -> Recorded:
    """Return the neuron after its run, with every state of it.

    Sums of gradients pass through zero while the loss is highest: without clearing nothing ends the run early.
    """
    model = Recorded(start, rate, train, cleared=cleared)
    tolerance = TOLERANCE if cleared else -1
    for _ in fit_regression(model, train, validation, max_iterations=STEPS, tolerance=tolerance):
        pass
    if largest_gradient(model.parameters()) <= tolerance:  # the loop ended before a step
        model.record()
    return model


@styled
def draw(train: Split, powers: Powers, runs: list[dict[str, Any]], least: float) -> Figure:
    """Show the line at some steps of the pipeline's run, and how the loss falls, or rises, at each learning rate."""
    figure, (left, right) = canvas("A line finds its place, step by step", columns=2, width=8, height=3.5)
    left.plot(train.inputs[:, 0], train.targets, "o", color=GREY, markersize=2)
    ends = np.array([train.inputs.min(), train.inputs.max()])
    cleared = {run["rate"]: np.array(run["states"]) for run in runs if run["cleared"]}
    for color, step in zip(SERIES, (0, 3, 10, 40), strict=False):
        weight, bias = cleared[LEARNING_RATE][step, :2]
        values = weight * (ends - powers.mean.item()) / powers.scale.item() + bias
        left.plot(ends, values, color=color, label=f"step {step}")
    left.set(xlabel="x", ylabel="y")
    left.legend(fontsize=8)
    for (rate, states), marker, color in zip(cleared.items(), MARKERS, SERIES, strict=True):
        above = np.maximum(states[:30, 2] - least, 1e-12)
        right.semilogy(above, marker=marker, markersize=3, linewidth=1, color=color, label=f"{rate:g}")
    right.set(xlabel="step", ylabel="loss above the least", ylim=(1e-6, 1e4))
    right.legend(title="learning rate", fontsize=8, title_fontsize=8, ncols=3)
    return figure
