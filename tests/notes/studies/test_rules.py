"""Rules on rows made by hand: what each says of tables that are as the claim says, and of such that are not."""

import pytest

from notes.params import load_params
from notes.studies import capacity, clearing_gradients, initialisation, vanishing_gradients

STUDY = load_params().study


def gradients(**changes):
    """Rows of two depths and sizes in which all is as the claim says, but for the shares that are changed."""
    kept = {
        "sigmoid": 1e-4,
        "relu": 0.5,
        "relu_standard": 0.5,
        "tanh_small": 0.9,
        "tanh_large": 1e-5,
        "relu_large": 0.7,
    }
    kept |= changes
    rows = []
    for repetition, noise in enumerate([0.9, 1.0, 1.1]):
        for start, relu in (("he_xavier", kept["relu"]), ("standard", kept["relu_standard"])):
            for activation, share in (("sigmoid", kept["sigmoid"]), ("tanh", 0.5), ("relu", relu)):
                case = {"part": "depth", "activation": activation, "start": start, "depth": 8, "repetition": repetition}
                rows += [case | {"layer": 1, "gradient_norm": noise * share}, case | {"layer": 8, "gradient_norm": 1.0}]
        for size, tanh in ((0.5, kept["tanh_small"]), (16.0, kept["tanh_large"])):
            case = {"part": "size", "size": size, "repetition": repetition}
            rows += [case | {"activation": "tanh", "share": noise * tanh}]
            rows += [case | {"activation": "relu", "share": noise * kept["relu_large"]}]
    return rows


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "holds"),
        ({"relu_standard": 1e-6}, "holds only for the He / Xavier start"),
        ({"sigmoid": 0.02}, "fails"),
        ({"relu": 0.001, "relu_standard": 0.001}, "fails"),
        ({"tanh_large": 0.1}, "fails"),
        ({"tanh_small": 0.001}, "fails"),
        ({"relu_large": 0.001}, "fails"),
    ],
)
def test_sigmoid_must_lose_with_depth_tanh_at_large_inputs_alone_and_relu_nowhere(changes, text):
    settings = STUDY.vanishing_gradients.model_copy(update={"depths": [2, 8], "input_sizes": [0.5, 16.0]})
    assert vanishing_gradients.judge(gradients(**changes), settings).text == text


def errors(validation_error):
    """Rows of a grid of two networks whose errors are given by size, a little different in each repetition."""
    return [
        {"width": width, "depth": 1, "repetition": repetition, "train_error": 0.0, "validation_error": error + noise}
        for width, error in validation_error.items()
        for repetition, noise in enumerate([0.0, 0.5, 0.1, 0.3])
    ]


@pytest.mark.parametrize(
    ("validation_error", "text"),
    [
        ({1: 20, 8: 10, 64: 20}, "holds"),
        ({1: 30, 8: 20, 64: 10}, "holds only for networks too small"),
        ({1: 10, 8: 20, 64: 30}, "holds only for networks too large"),
        ({1: 10, 8: 10, 64: 10}, "fails"),
    ],
)
def test_more_capacity_is_judged_by_the_error_of_the_largest_and_the_smallest_network(validation_error, text):
    assert capacity.judge(errors(validation_error), STUDY.capacity).text == text


def test_the_best_network_is_chosen_on_repetitions_that_do_not_judge_it():
    rows = errors({1: 20, 8: 10, 64: 15})
    for row in rows:
        if row["repetition"] % 2 and row["width"] == 8:
            row["validation_error"] += 50.0
    assert capacity.best_cell(rows) == (1, 8)
    assert capacity.judge(rows, STUDY.capacity).value == pytest.approx(-45)


@pytest.mark.parametrize(
    ("line", "network", "text"),
    [
        (5.0, 5.0, "holds"),
        (5.0, 1.5, "holds only for the line"),
        (0.9, 5.0, "holds only for the network"),
        (1.0, 1.0, "fails"),
    ],
)
def test_clearing_matters_where_the_loss_ends_twice_as_high_without(line, network, text):
    rows = [
        {
            "problem": problem,
            "learning_rate": rate,
            "cleared": cleared,
            "repetition": repetition,
            "last_step": block + 1,
            # At the rate 9 nothing is learnt even with clearing, so that it does not count.
            "loss": (0.1 if rate < 9 else 0.9) * (1.0 if cleared else worse + 0.01 * repetition),
            "first_loss": 1.0,
        }
        for problem, worse in (("line", line), ("network", network))
        for rate in (0.1, 9.0)
        for cleared in (True, False)
        for repetition in range(3)
        for block in range(clearing_gradients.BLOCKS)
    ]
    settings = STUDY.clearing_gradients.model_copy(update={"learning_rates": [0.1, 9.0]})
    verdict = clearing_gradients.judge(rows, settings)
    assert verdict.text == text
    assert verdict.value == pytest.approx(min(line, network), abs=0.02)


def starts(linear, network):
    """Rows of four repetitions: the updates of every start, a little different in each."""
    return [
        {"problem": problem, "start": start, "repetition": repetition, "updates": noise * updates, "reached": True}
        for problem, costs in zip(initialisation.PROBLEMS, (linear, network), strict=True)
        for start, updates in costs.items()
        for repetition, noise in enumerate([1.0, 1.1, 1.2, 1.3])
    ]


@pytest.mark.parametrize(
    ("network", "text"),
    [
        ({"zeros": 100, "constant": 100, "random": 100, "pretrained": 90}, "fails"),
        ({"zeros": 900, "constant": 100, "random": 100, "pretrained": 90}, "holds"),
        ({"zeros": 100, "constant": 100, "random": 100, "pretrained": 10}, "holds"),
        ({"zeros": 190, "constant": 100, "random": 100, "pretrained": 100}, "fails"),
    ],
)
def test_a_start_must_be_good_for_one_problem_and_bad_for_the_other(network, text):
    linear = {"zeros": 50.0, "constant": 50.0, "random": 50.0, "pretrained": 40.0}
    for rows in (starts(linear, network), starts(network, linear)):
        assert initialisation.judge(rows, STUDY.initialisation).text == text
