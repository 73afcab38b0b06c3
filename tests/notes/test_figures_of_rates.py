"""Contestants over learning rates: none hides another, a colour stays one contestant's, and what failed is hollow."""

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, ORANGE
from notes.figures.rates import draw_best, draw_rates

COSTS = {0.1: 40, 1.0: 10, 10.0: 90}  # of both contestants; at rate 10 contestant b never gets there
CONTESTANTS = {"first": {"name": "a"}, "second": {"name": "b"}}
ROWS: list[dict[str, Any]] = [
    {"name": name, "learning_rate": rate, "repetition": n, "cost": cost * (1 + n), "reached": (name, rate) != ("b", 10)}
    for name in "ab"
    for rate, cost in COSTS.items()
    for n in range(6)
    if n % 2 == 0 or rate == 1.0  # the odd repetitions run at the best rate alone
]


def axes() -> Axes:
    """Return empty axes."""
    return Figure().subplots()


def points(drawn: Axes) -> list[tuple[str, float, float, str]]:
    """Return colour, place, value and filling of the means."""
    found = []
    for container in drawn.containers:
        line = container.lines[0]
        ((x,), (y,)) = line.get_data()
        found.append((to_hex(line.get_color()).upper(), x, y, to_hex(line.get_markerfacecolor()).upper()))
    return found


def test_equal_costs_stand_beside_one_another_around_their_rate() -> None:
    drawn = axes()
    draw_rates(drawn, ROWS, CONTESTANTS, "cost")
    places = {color: [x for found, x, _, _ in points(drawn) if found == color] for color in (BLUE, ORANGE)}
    for left, rate, right in zip(places[BLUE], COSTS, places[ORANGE], strict=True):
        assert left < rate < right
        assert left * right == pytest.approx(rate**2)  # as far on one side as on the other
        assert right / left < 10**0.25  # and nearer to their own rate than to the next
    even = np.exp(np.mean(np.log([1, 3, 5])))
    for color in (BLUE, ORANGE):
        assert [y for found, _, y, _ in points(drawn) if found == color] == pytest.approx(
            [cost * even for cost in COSTS.values()]
        )


def test_a_point_is_hollow_where_a_run_did_not_reach_the_target_and_the_best_rate_has_a_ring() -> None:
    drawn = axes()
    draw_rates(drawn, ROWS, CONTESTANTS, "cost")
    hollow = [(color, round(np.log10(x))) for color, x, _, face in points(drawn) if face == "#FFFFFF"]
    assert hollow == [(ORANGE, 1)]
    rings = [line for line in drawn.lines if line.get_fillstyle() == "none"]
    assert [(to_hex(ring.get_color()).upper(), round(np.log10(ring.get_xdata()[0]))) for ring in rings] == [
        (BLUE, 0),
        (ORANGE, 0),
    ]


def test_at_the_best_rates_every_judging_run_is_drawn_in_its_contestants_colour() -> None:
    drawn = axes()
    draw_best(drawn, ROWS, CONTESTANTS, "cost")
    runs = [line for line in drawn.lines if line.get_marker() == "."]
    assert [(to_hex(line.get_color()).upper(), sorted(line.get_ydata())) for line in runs] == [
        (BLUE, [20, 40, 60]),
        (ORANGE, [20, 40, 60]),
    ]
    assert [y for _, _, y, _ in points(drawn)] == pytest.approx([np.exp(np.mean(np.log([20, 40, 60])))] * 2)
    assert [label.get_text() for label in drawn.get_xticklabels()] == list(CONTESTANTS)


def test_a_single_rate_is_drawn() -> None:
    drawn = axes()
    draw_rates(drawn, [row for row in ROWS if row["learning_rate"] == 1.0], {"first": {"name": "a"}}, "cost")
    assert [x for _, x, _, _ in points(drawn)] == [1.0]
