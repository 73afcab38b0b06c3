"""The step that is written out against the one by autograd: the same weights, losses and logits, bit for bit."""

from functools import partial

import numpy as np
import pytest
import torch

from notes.data.tasks import Split
from notes.networks import linear, mlp, steps
from notes.networks.determinism import make_deterministic
from notes.networks.losses import make_criterion
from notes.networks.mlp import ClassifierOptions, Mlp, fit_classifier

ROWS = 130  # the last batch of 32 is smaller
CASES = {
    "no hidden layer": ((4, 3), {}, {}),
    "relu": ((4, 8, 6, 3), {}, {}),
    "tanh, log loss": ((4, 8, 1), {"activation": "tanh"}, {"loss": "log_loss"}),
    "sigmoid, momentum": ((4, 8, 3), {"activation": "sigmoid"}, {"optimizer": "sgd", "momentum": 0.9}),
    "label smoothing": ((4, 8, 3), {}, {"label_smoothing": 0.1}),
    "weight decay": ((4, 8, 3), {}, {"weight_decay": 0.01}),
    "batch normalisation": ((4, 8, 6, 3), {"batch_norm": True}, {}),
    "dropout": ((4, 8, 6, 3), {"dropout": 0.3, "batch_norm": True}, {"weight_decay": 0.01}),
    "schedule": ((4, 8, 3), {}, {"schedule": "one_cycle"}),
    "average": ((4, 8, 3), {"batch_norm": True}, {"weight_average": 0.9}),
}


def data(classes):
    generator = np.random.default_rng(5)
    inputs = generator.normal(size=(ROWS, 4)).astype(np.float32)
    return Split(inputs, generator.integers(0, max(classes, 2), ROWS))


def train(sizes, network_options, options):
    """Return a trained network and its history."""
    make_deterministic(3)
    generator = torch.Generator().manual_seed(3)
    network = Mlp(sizes[0], list(sizes[1:-1]), sizes[-1], **network_options).initialise(generator)
    settings = ClassifierOptions(epochs=4, batch_size=32, learning_rate=0.01, **options)
    split = data(sizes[-1])
    return network, list(fit_classifier(network, split, split, settings, generator=generator))


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_it_trains_to_the_same_bits_as_autograd(case, portable, monkeypatch):
    monkeypatch.setattr(linear, "PORTABLE", portable)
    made = []
    monkeypatch.setattr(mlp, "write_out", lambda *arguments: made.append(steps.write_out(*arguments)) or made[-1])
    network, history = train(*CASES[case])
    assert made[0] is not None
    monkeypatch.setattr(mlp, "write_out", lambda *arguments: None)
    reference, expected = train(*CASES[case])
    assert history == expected
    assert history[-1]["train/loss"] < history[0]["train/loss"]
    for name, values in reference.state_dict().items():
        assert torch.equal(network.state_dict()[name], values), name


def make(network):
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    return steps.write_out(network, make_criterion("cross_entropy"), optimizer)


@pytest.mark.parametrize("options", [{"activation": "gelu"}, {"activation": "leaky_relu"}, {"noise": 0.1}])
def test_a_layer_that_it_does_not_know_is_left_to_autograd(options):
    assert make(Mlp(4, [8], 3)) is not None
    assert make(Mlp(4, [8], 3, **options)) is None


def test_on_another_device_it_is_left_to_autograd():
    assert make(Mlp(4, [8], 3).to("meta")) is None


def test_a_criterion_of_the_caller_s_own_is_asked_for_its_slope():
    squared = partial(torch.nn.functional.mse_loss)
    network = Mlp(2, [], 1)
    step = steps.write_out(network, squared, torch.optim.SGD(network.parameters(), lr=0.0))
    inputs, targets = torch.randn(6, 2), torch.randn(6, 1)
    loss, outputs = step(inputs, targets)
    torch.testing.assert_close(loss, ((outputs - targets) ** 2).mean())
    expected = 2 / 6 * (outputs - targets).T @ inputs
    torch.testing.assert_close(network.layers[0].weight.grad, expected)
