"""Model files: what is saved comes back, predicts as the textbook says, and damage is one sentence."""

import resource
import sys
import time

import numpy as np
import pytest
import torch
from scipy import special

from notes.data.tasks import Split
from notes.files import UserError, digest, load_tensors, save_tensors
from notes.networks.mlp import Mlp
from notes.networks.model_files import build, load_network, predict, pretrained_parameters, save_network
from notes.networks.regression import (
    LinearRegression,
    ModuleRegression,
    Powers,
    ScratchRegression,
    fit_regression,
)


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
    options = {"dropout": 0.3, "batch_norm": True, "noise": 0.2}
    network = Mlp(3, [8, 5], 4, activation="gelu", **options).initialise(generator())
    torch.manual_seed(0)
    network.train()(torch.randn(64, 3) * 2 + 1)
    return network


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


@pytest.mark.fault(
    "A model file of a few bytes that describes fifty million units, or ten million layers",
    "refused in one sentence, without the memory or the time that building it would take",
)
@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": [3, 50_000_000, 50_000_000, 4]},
        {"sizes": [3] * 10_000_000},
        {"kind": "linear_regression", "features": 1_000_000_000, "degree": 1000},
    ],
    ids=["units", "layers", "features"],
)
def test_a_small_file_that_describes_a_huge_network_is_refused_before_it_is_built(tmp_path, changes):
    path = tmp_path / "model.safetensors"
    save_network(path, trained_mlp())
    tensors, architecture = load_tensors(path)
    save_tensors(path, tensors, architecture | changes)
    started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="does not hold the network it describes"):
        load_network(path)
    assert time.process_time() - started < 10
    unit = 1 if sys.platform == "darwin" else 1024
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 2e9


def test_build_makes_what_architecture_describes():
    for network in (trained_mlp(), regression()[0]):
        assert repr(build(network.architecture())) == repr(network)


def test_one_logit_and_two_logits_give_the_probabilities_of_the_textbook():
    inputs = np.random.default_rng(0).standard_normal((2500, 3)).astype(np.float32)
    binary = Mlp(3, [], 1).initialise(generator())
    positive = special.expit(binary(torch.from_numpy(inputs)).detach().numpy().astype(float)[:, 0])
    np.testing.assert_allclose(predict(binary, inputs), np.column_stack([1 - positive, positive]), atol=1e-7)
    several = Mlp(3, [4], 5).initialise(generator())
    logits = several(torch.from_numpy(inputs)).detach().numpy().astype(float)
    np.testing.assert_allclose(predict(several, inputs), special.softmax(logits, axis=1), atol=1e-7)


def test_predictions_leave_dropout_and_noise_out_and_do_not_depend_on_the_other_rows():
    network = trained_mlp().train()
    inputs = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    whole = predict(network, inputs)
    np.testing.assert_array_equal(predict(network, inputs), whole)
    np.testing.assert_allclose(
        np.concatenate([predict(network, inputs[i : i + 1]) for i in range(20)]), whole, rtol=1e-5
    )


@pytest.mark.parametrize("implementation", [ScratchRegression, ModuleRegression])
def test_a_pretrained_start_computes_what_the_file_does_whatever_data_standardised_it(tmp_path, implementation):
    network, inputs = regression()
    path = tmp_path / "solved.safetensors"
    save_network(path, network)
    powers = Powers(2, 3).fit(torch.from_numpy(inputs[:20] * 1.5 + 1))
    model = implementation(powers, *pretrained_parameters(str(path), digest(path), powers), 0.1)
    np.testing.assert_allclose(model(torch.from_numpy(inputs)).detach(), predict(network, inputs), rtol=1e-9)
    # Where every target is met already, one iteration finds no gradient to follow.
    solved = Split(inputs, predict(network, inputs))
    (record,) = fit_regression(model, solved, solved, max_iterations=100, tolerance=1e-6)
    assert record["epoch"] == 1


def test_a_pretrained_file_that_is_not_the_one_named_or_does_not_fit_is_refused(tmp_path):
    powers, path = Powers(3, 1), tmp_path / "model.safetensors"
    save_network(path, LinearRegression(3))
    with pytest.raises(UserError, match=f"has the MD5 {digest(path)}, not {'0' * 32}: "):
        pretrained_parameters(str(path), "0" * 32, powers)
    with pytest.raises(UserError, match="is missing: restore it"):
        pretrained_parameters(str(tmp_path / "absent"), "0" * 32, powers)
    with pytest.raises(UserError, match="has 3 weights, this one 6"):
        pretrained_parameters(str(path), digest(path), Powers(3, 2))
    save_network(path, Mlp(3, [], 1))
    with pytest.raises(UserError, match="is no regression model"):
        pretrained_parameters(str(path), digest(path), powers)
