import copy

import numpy as np
import pytest

from notes.book.back_propagation import INPUTS, LABEL, START, compute, passes


def log_loss(parameters, inputs, label):
    """The same network, written out for one row without a matrix."""

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    rows = zip(parameters["w"], parameters["b"], strict=True)
    h = [sigmoid(w[0] * inputs[0] + w[1] * inputs[1] + b) for w, b in rows]
    p = sigmoid(np.dot(parameters["v"], h) + parameters["c"])
    return -np.log(p if label else 1 - p)


@pytest.mark.parametrize("label", [0, 1])
def test_the_gradient_of_the_single_output_is_that_of_finite_differences(label):
    found = passes(START, INPUTS, label)
    assert found["loss"] == pytest.approx(log_loss(START, INPUTS, label), abs=1e-12)
    for name in START:
        value = np.array(START[name], dtype=float)
        slopes = np.empty_like(value)
        for place in np.ndindex(value.shape):
            ends = []
            for step in (-1e-6, 1e-6):
                moved = copy.deepcopy(START) | {name: value.copy()}
                moved[name][place] += step
                ends.append(log_loss(moved, INPUTS, label))
            slopes[place] = (ends[1] - ends[0]) / 2e-6
        np.testing.assert_allclose(found["gradient"][name], slopes, atol=1e-9)


def test_each_step_downhill_lowers_the_loss(tmp_path):
    files = compute(tmp_path)
    losses = [step["loss"] for step in files["data.json"]["steps"]]
    assert losses[0] > losses[1] > losses[2]
    assert losses[0] == pytest.approx(log_loss(START, INPUTS, LABEL))
    assert len(files["picture.png"]) < 120_000
    assert compute(tmp_path) == files
