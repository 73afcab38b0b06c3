"""Claims of the notes on training: each rule refuses a counter-example, each measure agrees with one made by hand."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from notes.networks.mlp import Mlp
from notes.params import load_params
from notes.studies import batch_memory, exploding_gradients, training_lowers_loss
from notes.studies.shared.experiment import generator_for, random_for
from notes.studies.shared.side_by_side import moons, stack

SETTINGS = load_params().study
SEED = np.random.SeedSequence(7)


def verdict_of(study, settings):
    return study.judge(study.measure(settings, SEED), settings).text


EXPLODING = SETTINGS.exploding_gradients.model_copy(
    update={"steps": 1000, "learning_rates": [1.0], "high_learning_rates": [5.0]}
)


def grown(factors):
    """Rows in which the largest gradient of the second half is a multiple of that of the first."""
    return [
        {"kind": kind, "learning_rate": rate, "cleared": cleared, "repetition": repetition, "last_step": block}
        | {"largest": (1.0 + repetition) * (factor if block >= 10 and not cleared else 1.0)}
        for (kind, rate), factor in factors.items()
        for cleared in (True, False)
        for repetition in range(3)
        for block in range(20)
    ]


@pytest.mark.parametrize(
    ("all_rows", "batches", "text"),
    [
        (1e6, 1e6, "holds"),
        (1.0, 1e6, "holds only for mini-batches"),
        (1.4, 1.4, "fails"),
        (2.0, 9.0, "fails"),
    ],
)
def test_an_explosion_is_more_than_growth(all_rows, batches, text):
    factors = {("all rows", 1.0): all_rows, ("mini-batches", 1.0): batches}
    rows = grown(factors | {(kind, 5.0): 1e9 for kind in exploding_gradients.KINDS})
    assert exploding_gradients.judge(rows, EXPLODING).text == text


def test_at_one_of_two_learning_rates_an_explosion_is_no_rule():
    settings = EXPLODING.model_copy(update={"learning_rates": [0.5, 1.0]})
    rows = grown({(kind, rate): 1e6 ** (rate == 1.0) for kind in exploding_gradients.KINDS for rate in (0.5, 1.0, 5.0)})
    assert exploding_gradients.judge(rows, settings).text == "holds only at some learning rates"


@pytest.mark.parametrize("cleared", [True, False])
def test_the_descent_is_that_of_autograd_with_and_without_clearing(cleared):
    random = np.random.default_rng(0)
    slopes, pulls = random.uniform(0.5, 1.5, (2, 20, 1))
    found = exploding_gradients.descend(slopes, pulls, np.array([0.3]), cleared=cleared)
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    for slope, pull, gradient in zip(slopes, pulls, found, strict=True):
        if cleared:
            weight.grad = None
        (slope[0] / 2 * weight**2 - pull[0] * weight).sum().backward()
        assert weight.grad.item() == pytest.approx(gradient.item())
        with torch.no_grad():
            weight -= 0.3 * weight.grad


@pytest.mark.parametrize("rate", [0.1, 1.0, 3.9, 4.1])
def test_on_all_rows_the_sum_of_gradients_follows_the_roots_of_its_recurrence(rate):
    ones = np.ones((300, 1))
    found = exploding_gradients.descend(ones, ones, np.array([rate]), cleared=False)[:, 0, 0]
    roots = np.roots([1, rate - 2, 1])
    # G(0) = -1 and G(1) = -(2 - rate), since each step moves the gradient by -rate times the sum.
    shares = np.linalg.solve(np.vander(roots, 2, increasing=True).T, [-1, rate - 2])
    expected = (shares * roots ** np.arange(300)[:, None]).sum(axis=1).real
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    assert (np.abs(found).max() < 10) == (rate < 4)
    if rate > 4:
        assert np.log(np.abs(found[-1] / found[-101])) / 100 == pytest.approx(math.log(np.abs(roots).max()), rel=1e-6)


LOWERS = SETTINGS.training_lowers_loss.model_copy(update={"learning_rates": [0.1, 1.0]})


@pytest.mark.parametrize(
    ("at_low", "at_high", "text"),
    [
        ((0, 0, 0), (0, 0, 0), "holds"),
        ((20, 0, 0), (40, 30, 0), "holds only for epochs up to 0.1, whole trainings (learning rate)"),
        ((20, 20, 0), (40, 40, 0), "holds only for whole trainings (learning rate)"),
        ((20, 20, 20), (0, 0, 0), "fails"),
    ],
)
def test_what_lowers_the_loss_is_named_with_the_learning_rate_up_to_which_it_does(at_low, at_high, text):
    rows = [
        {"kind": "raised", "learning_rate": rate, "repetition": repetition}
        | dict(zip(training_lowers_loss.PARTS, shares, strict=True))
        for rate, shares in ((0.1, at_low), (1.0, at_high))
        for repetition in range(3)
    ]
    assert training_lowers_loss.judge(rows, LOWERS).text == text


def test_a_raised_loss_is_more_than_rounding_and_what_is_no_number_is_raised_too():
    history = np.array([[1.0, 1.0], [0.9, 1.0 + 1e-9], [0.95, np.nan], [0.8, np.inf]])
    assert training_lowers_loss.share_raised(history) == pytest.approx([100 / 3, 200 / 3])


def test_full_batches_of_a_short_step_never_raise_the_loss_and_the_losses_are_scikit_learns():
    settings = LOWERS.model_copy(update={"rows": 50, "batch_size": 50, "epochs": 5})
    data = moons(50, [random_for(SEED, 0)])
    networks = stack([Mlp(2, [4], 2).initialise(generator_for(SEED, 0))])
    probabilities = [torch.softmax(networks(data[0])[0], dim=1).detach().double().numpy()]
    history = training_lowers_loss.losses_over_training(networks, data, settings, 0.01, [generator_for(SEED, 0, 1)])
    probabilities.append(torch.softmax(networks(data[0])[0], dim=1).detach().double().numpy())
    for loss, expected in zip(history[[0, -1], 0], probabilities, strict=True):
        assert loss == pytest.approx(log_loss(data[1][0], expected / expected.sum(axis=1, keepdims=True)), rel=1e-4)
    assert len(history) == 6
    assert training_lowers_loss.share_raised(history).tolist() == [0.0]


MEMORY = SETTINGS.batch_memory.model_copy(update={"rows": 100, "batch_sizes": [10, 50], "learning_rates": [0.1, 0.2]})


def trained(kept, accuracy):
    """Rows of two learning rates, of which the second is the better one, by batch size."""
    return [
        {
            "batch_size": size, "learning_rate": rate, "repetition": repetition, "bytes_kept": kept[size],
            "bytes_of_weights": 1000, "accuracy_to_choose": 100 * rate, "accuracy": accuracy[size] + repetition + rate,
        }
        for size in kept
        for rate in (0.1, 0.2)
        for repetition in range(3)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kept", "accuracy", "text"),
    [
        ({10: 1000, 50: 5000, 100: 10000}, {10: 90, 50: 90, 100: 90}, "holds"),
        ({10: 1000, 50: 9900, 100: 10000}, {10: 90, 50: 90, 100: 90}, "holds only for batches of 10"),
        ({10: 1000, 50: 5000, 100: 10000}, {10: 80, 50: 90, 100: 90}, "holds only for batches of 50"),
        ({10: 9999, 50: 9999, 100: 10000}, {10: 90, 50: 90, 100: 90}, "fails"),
    ],
)
def test_a_batch_must_save_a_tenth_of_the_memory_and_lose_no_accuracy(kept, accuracy, text):
    assert batch_memory.judge(trained(kept, accuracy), MEMORY).text == text


def test_autograd_keeps_inputs_hidden_activations_log_probabilities_and_labels():
    network = Mlp(30, [16, 8], 10).initialise(torch.Generator().manual_seed(0))
    inputs, labels = torch.rand(50, 30), torch.arange(50) % 10
    log_probabilities, total_weight = 50 * 10 * 4, 4
    expected = 50 * (30 + 16 + 8) * 4 + log_probabilities + 50 * 8 + total_weight
    assert batch_memory.bytes_kept(network, inputs, labels) == expected
    assert batch_memory.bytes_of_weights(network) == 4 * (30 * 16 + 16 + 16 * 8 + 8 + 8 * 10 + 10)
    optimizer = torch.optim.Adam(network.parameters())
    torch.nn.functional.cross_entropy(network(inputs), labels).backward()
    optimizer.step()
    averages = [state[name] for state in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    held = [*network.parameters(), *(parameter.grad for parameter in network.parameters()), *averages]
    assert sum(tensor.nbytes for tensor in held) == batch_memory.COPIES * batch_memory.bytes_of_weights(network)
