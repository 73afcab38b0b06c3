import io

import numpy as np
import pytest
from PIL import Image

from notes.book import neuron
from notes.networks.by_hand import ACTIVATIONS, DERIVATIVES


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return neuron.compute(tmp_path_factory.mktemp("empty"))


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu"])
def test_the_references_are_the_functions_and_derivatives_worked_out_by_hand(files, name):
    reference = files["data.json"]["reference"]
    outputs = ACTIVATIONS[name](np.array(reference["z"]))
    np.testing.assert_allclose(reference[name]["y"], outputs, atol=1e-14)
    np.testing.assert_allclose(reference[name]["slope"], DERIVATIVES[name](outputs), atol=1e-14)


def test_the_identity_has_the_slope_1(files):
    reference = files["data.json"]["reference"]
    assert reference["identity"] == {"y": reference["z"], "slope": [1.0] * len(reference["z"])}


def test_at_its_limit_an_activation_has_a_twentieth_of_its_slope(files):
    limits = files["data.json"]["limits"]
    root = np.sqrt(1 - 4 * 0.05 / 4)  # of h (1 - h) = 0.05 / 4
    assert limits["sigmoid"] == pytest.approx(np.log((1 + root) / (1 - root)), abs=1e-9)
    assert limits["tanh"] == pytest.approx(np.arctanh(np.sqrt(0.95)), abs=1e-9)


def test_the_picture_is_small_and_the_same_each_time(files, tmp_path):
    assert len(files["picture.png"]) < 120_000
    assert Image.open(io.BytesIO(files["picture.png"])).width == 8 * 130
    assert neuron.compute(tmp_path) == files
