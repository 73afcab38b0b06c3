"""The intervals of repetitions, against scipy."""

import numpy as np
import pytest
from scipy import stats

from notes.intervals import mean_interval, paired_interval


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
