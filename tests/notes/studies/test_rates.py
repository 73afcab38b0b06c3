"""Each contestant at its best learning rate: chosen on the even repetitions, judged on the odd ones."""

import numpy as np
import pytest

from notes.studies.shared.rates import at_an_end, best_rate, judged, ratio, run_at_best_rate

UPDATES = {  # name: learning rate: the updates of four repetitions
    "a": {0.1: [40, 1, 40, 1], 1.0: [10, 20, 10, 80], 10.0: [50, 1, 50, 1]},
    "b": {0.1: [60, 1, 60, 1], 1.0: [30, 40, 30, 160], 10.0: [90, 1, 90, 1]},
    "c": {0.1: [90, 1, 90, 1], 1.0: [30, 1, 30, 1], 10.0: [20, 20, 20, 20]},
}
A, B, C = ({"name": name} for name in "abc")


def runs(name):
    def run(rate, repetitions):
        return [{"updates": UPDATES[name][rate][n], "epochs": 2 * UPDATES[name][rate][n]} for n in repetitions]

    return run_at_best_rate(run, {"name": name}, [0.1, 1.0, 10.0], 4, "updates")


ROWS = [row for name in UPDATES for row in runs(name)] + [{"name": "a row of another kind", "margin": 0.0}]


def test_even_repetitions_run_at_every_rate_and_odd_ones_at_the_best_alone():
    rows = runs("a")
    assert [(row["learning_rate"], row["repetition"]) for row in rows] == [
        (0.1, 0), (0.1, 2), (1.0, 0), (1.0, 2), (10.0, 0), (10.0, 2), (1.0, 1), (1.0, 3),
    ]  # fmt: skip
    assert best_rate(ROWS, "updates", A) == 1.0
    assert judged(ROWS, "updates", A).tolist() == [20, 80]
    assert judged(ROWS, "epochs", A).tolist() == [40, 160]


def test_the_ratio_is_the_geometric_mean_of_the_pairs():
    assert ratio(ROWS, "updates", B, A) == pytest.approx((2, 2, 2))
    assert ratio(ROWS, "updates", C, A).value == pytest.approx(np.sqrt(20 / 20 * 20 / 80))


def test_only_a_rate_with_a_neighbour_on_both_sides_is_a_best_one():
    assert not at_an_end(ROWS, [A, B])
    assert at_an_end(ROWS, [A, C])
