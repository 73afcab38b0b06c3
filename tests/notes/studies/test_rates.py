"""Each contestant at its best learning rate: chosen on the even repetitions, judged on the odd ones."""

import numpy as np
import pytest

from notes.studies.shared.rates import at_an_end, at_best_rate, best_rate, ratio

UPDATES = {  # name: learning rate: the updates of four repetitions
    "a": {0.1: [40, 40, 40, 40], 1.0: [10, 20, 10, 80], 10.0: [50, 1, 50, 1]},
    "b": {0.1: [60, 60, 60, 60], 1.0: [30, 40, 30, 160], 10.0: [90, 1, 90, 1]},
    "c": {0.1: [90, 90, 90, 90], 1.0: [30, 40, 30, 160], 10.0: [20, 20, 20, 20]},
}
ROWS = [
    {"name": name, "learning_rate": rate, "repetition": repetition, "updates": updates, "epochs": 2 * updates}
    for name, rates in UPDATES.items()
    for rate, runs in rates.items()
    for repetition, updates in enumerate(runs)
] + [{"name": "a row of another kind", "margin": 0.0}]
A, B, C = ({"name": name} for name in "abc")


def test_even_repetitions_choose_the_rate_and_odd_ones_give_the_numbers():
    assert best_rate(ROWS, "updates", A) == 1.0
    assert at_best_rate(ROWS, "updates", A).tolist() == [20, 80]
    assert at_best_rate(ROWS, "updates", A, "epochs").tolist() == [40, 160]


def test_the_ratio_is_the_geometric_mean_of_the_pairs():
    assert ratio(ROWS, "updates", B, A) == pytest.approx((2, 2, 2))
    assert ratio(ROWS, "updates", C, A).value == pytest.approx(np.sqrt(20 / 20 * 20 / 80))


def test_only_a_rate_with_a_neighbour_on_both_sides_is_a_best_one():
    assert not at_an_end(ROWS, "updates", [A, B])
    assert at_an_end(ROWS, "updates", [A, C])
