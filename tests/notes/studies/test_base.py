"""The intervals, rows and numbers that all studies share, against scipy and by hand."""

import numpy as np
import pytest
from scipy import stats

from notes.evaluation import mean_interval
from notes.studies.shared.base import Verdict, column, mean_times, paired_interval, rows_where, table
from notes.studies.shared.experiment import generator_for

ROWS = [
    {"kind": "a", "value": 1.0, "time/fit_s": 2.0},
    {"kind": "b", "value": 3.0, "extra": 7},
    {"kind": "a", "value": 5.0, "time/fit_s": 4.0},
]


def test_the_interval_of_a_mean_is_students():
    values = np.random.default_rng(0).normal(3, 2, 12)
    low, high = stats.t.interval(0.9, 11, loc=values.mean(), scale=stats.sem(values))
    assert mean_interval(values, 0.9) == pytest.approx((values.mean(), low, high))


def test_the_interval_of_a_paired_difference_is_that_of_the_paired_t_test():
    first, second = np.random.default_rng(1).normal(size=(2, 10))
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert paired_interval(first, second)[1:] == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("values", [[2.5], [2.5, 2.5, 2.5]])
def test_one_value_and_equal_values_have_an_interval_of_no_width(values):
    assert mean_interval(values) == (2.5, 2.5, 2.5)


def test_the_table_has_every_column_in_every_row_and_no_measured_time():
    assert table(ROWS) == [
        {"kind": "a", "value": 1.0, "extra": ""},
        {"kind": "b", "value": 3.0, "extra": 7},
        {"kind": "a", "value": 5.0, "extra": ""},
    ]
    assert mean_times(ROWS) == {"time/fit_s": 3.0}


def test_rows_are_chosen_by_all_given_columns():
    assert rows_where(ROWS, kind="a", value=5.0) == [ROWS[2]]
    assert column(ROWS, "value", kind="a").tolist() == [1.0, 5.0]


@pytest.mark.parametrize(("text", "holds"), [("holds", 1), ("holds under the log-sum-exp form", 0), ("fails", 0)])
def test_only_a_claim_without_conditions_counts_as_holding(text, holds):
    metrics = Verdict(text, "points", 2.0, 1.0, 3.0, "").metrics()
    assert metrics == {"effect": 2.0, "effect_low": 1.0, "effect_high": 3.0, "holds": holds}


def test_repetitions_draw_unrelated_numbers_and_the_same_repetition_the_same_ones():
    draws = {keys: generator_for(*keys).initial_seed() for keys in [(7, 0), (7, 1), (8, 0), (7, 0, 1)]}
    assert len(set(draws.values())) == 4
    assert generator_for(7, 0).initial_seed() == draws[7, 0]
