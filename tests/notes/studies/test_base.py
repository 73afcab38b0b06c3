"""The rows, numbers and texts that all studies share, by hand."""

from dataclasses import asdict

import pytest

from notes.studies.shared.base import Verdict, column, describe, mean_times, rows_where, table
from notes.studies.shared.experiment import generator_for

ROWS = [
    {"kind": "a", "value": 1.0, "time/fit_s": 2.0},
    {"kind": "b", "value": 3.0, "extra": 7},
    {"kind": "a", "value": 5.0, "time/fit_s": 4.0},
]


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
    assert metrics.pop("study.verdict") == text
    assert metrics == {"effect": 2.0, "effect_low": 1.0, "effect_high": 3.0, "holds": holds}


def test_repetitions_draw_unrelated_numbers_and_the_same_repetition_the_same_ones():
    draws = {keys: generator_for(*keys).initial_seed() for keys in [(7, 0), (7, 1), (8, 0), (7, 0, 1)]}
    assert len(set(draws.values())) == 4
    assert generator_for(7, 0).initial_seed() == draws[7, 0]


def test_a_verdict_comes_back_from_its_texts_and_is_described_with_claim_effect_and_rule():
    verdict = Verdict("holds", "points", 1.23456, -1.0, 2.0, "Found")
    texts = {"claim": "Claim.", "notes": "2. Section", "rule": "Rule."} | asdict(verdict)
    assert Verdict.of(texts) == verdict
    page = describe(texts)
    for part in ("2. Section): Claim.", "holds.** Found.", "points: 1.235 (95 % interval -1 to 2)", "Rule: Rule."):
        assert part in page
