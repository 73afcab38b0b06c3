"""The rows, numbers and texts that all studies share, by hand."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from notes.studies.shared.base import (
    Verdict,
    across_seeds,
    choosing,
    column,
    describe,
    judging,
    mean_times,
    numbered,
    rows_where,
    table,
    text_of,
)
from notes.studies.shared.experiment import generator_for, random_for

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


@pytest.mark.parametrize(("text", "holds"), [("holds", 1), ("holds only for the log-sum-exp form", 0), ("fails", 0)])
def test_only_a_claim_without_conditions_counts_as_holding(text, holds):
    metrics = Verdict(text, "points", 2.0, 1.0, 3.0, "").metrics()
    assert metrics.pop("study.verdict") == text
    assert metrics == {"effect": 2.0, "effect_low": 1.0, "effect_high": 3.0, "holds": holds}


def test_a_repetition_draws_what_numpy_spawns_for_it_and_shares_it_with_no_other_seed():
    seed = np.random.SeedSequence(7)
    spawned = np.random.SeedSequence(7).spawn(3)
    assert [random_for(seed, key).random() for key in range(3)] == [
        np.random.default_rng(one).random() for one in spawned
    ]
    seeds = [seed, np.random.SeedSequence(8), *spawned]
    draws = [generator_for(one, *keys).initial_seed() for one in seeds for keys in [(0,), (1,), (0, 1)]]
    # The seed's child 1 drawn by its key 0 is the seed drawn by the keys 1, 0: none of these are the same.
    assert len(set(draws)) == len(draws) - 1
    assert generator_for(seed, 0).initial_seed() == draws[0]


VERDICT = Verdict("holds", "points", 2.0, 1.0, 3.0, "Found")


def test_seeds_that_agree_with_each_other_and_with_all_rows_together_settle_a_claim():
    settled = across_seeds([VERDICT] * 5, replace(VERDICT, value=2.5))
    assert (settled.text, settled.value, settled.seeds) == ("holds", 2.5, "holds in 5 of 5")


@pytest.mark.parametrize(("texts", "pooled"), [(["holds"] * 4 + ["fails"], "holds"), (["fails"] * 5, "holds")])
def test_seeds_that_disagree_leave_a_claim_unsettled(texts, pooled):
    verdicts = [replace(VERDICT, text=text) for text in texts]
    unsettled = across_seeds(verdicts, replace(VERDICT, text=pooled))
    assert unsettled.text == "unsettled"
    assert unsettled.seeds.endswith(f"fails in {texts.count('fails')} of 5")


@pytest.mark.parametrize(
    ("passed", "text"),
    [("abc", "holds"), ("ab", "holds only for a and b"), ("b", "holds only for b"), ("", "fails")],
)
def test_a_claim_with_conditions_names_them(passed, text):
    assert text_of(list(passed), list("abc")) == text
    assert text_of(list("abc"), list("abcd")) == "holds only for a, b and c"
    assert text_of(["0.1"], ["0.1", "1"], "at learning rate") == "holds only at learning rate 0.1"


def test_even_repetitions_choose_and_odd_ones_judge_also_where_all_seeds_are_pooled():
    rows = [row for seed in (1, 2) for row in numbered([{"repetition": n} for n in range(3)], seed)]
    assert [row["repetition"] for row in choosing(rows)] == [0, 2, 4]
    assert [row["repetition"] for row in judging(rows)] == [1, 3, 5]


def test_the_rows_of_all_seeds_are_those_of_one_longer_study():
    rows = [{"repetition": 0, "value": 1}, {"repetition": 1, "value": 2}]
    assert [row["repetition"] for seed in (1, 2, 3) for row in numbered(rows, seed)] == [0, 1, 2, 3, 4, 5]
    assert numbered([{"value": 1}], 2) == [{"study_seed": 2, "value": 1}]


def test_a_verdict_comes_back_from_its_texts_and_is_described_with_claim_effect_and_rule():
    verdict = Verdict("holds", "points", 1.23456, -1.0, 2.0, "Found")
    texts = {"claim": "Claim.", "notes": "2. Section", "rule": "Rule."} | asdict(verdict)
    assert Verdict.of(texts) == verdict
    page = describe(texts)
    for part in ("2. Section): Claim.", "holds.** Found.", "points: 1.235 (95 % interval -1 to 2)", "Rule: Rule."):
        assert part in page
