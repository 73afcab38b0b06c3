"""Seeded changes, good, bad and neutral, are told apart; and what decides where there are no rows to compare."""

import json
import math
import random
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import reported
from repository import Repository
from scipy.stats import binomtest, ttest_1samp
from typer.testing import CliRunner

from provenn.cli import app
from provenn.files import UserError
from provenn.report.compare import compare
from provenn.report.judgement import Metric, direction, judge, mcnemar, paired_normal


def run(*arguments: str, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["report", "--json", *arguments])
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


def judged(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = (metric for metric in found["metrics"] if metric["name"] == name)
    return one


@pytest.mark.parametrize(("wrong", "seed", "verdict", "code"), [
    (8, 1, "better", 0), (70, 2, "worse", 3), (28, 3, "cannot tell", 0), (30, 4, "no metric changed", 0),
])  # fmt: skip
def test_a_good_a_bad_and_a_neutral_change_are_told_apart_by_the_rows(
    changing: Repository, wrong: int, seed: int, verdict: str, code: int
) -> None:
    reported.set_params(changing, wrong=wrong, seed=seed)
    changing.dvc_here("repro")
    found = run("--base", "base", "--fail-if-worse", code=code)
    assert found["verdict"] == verdict
    if verdict != "no metric changed":
        one = judged(found, "test.accuracy")
        assert one["judgement"] == verdict
        assert one["difference"] == pytest.approx((30 - wrong) / 200)
        assert one["rule"].startswith("paired, McNemar, p = ")
    # The same from the commit, and the contrary with the sides exchanged.
    changing.commit("The change")
    changing.git("tag", "change")
    assert run("--base", "base", "--head", "change")["verdict"] == verdict
    contrary = {"better": "worse", "worse": "better"}.get(verdict, verdict)
    assert run("--base", "change", "--head", "base")["verdict"] == contrary


@pytest.mark.parametrize(("interval", "verdict", "rule"), [
    ((0.95, 0.97), "better", "intervals apart"), ((0.89, 0.97), "cannot tell", "intervals overlap"),
    (None, "cannot tell", "no interval, no paired rows"),
])  # fmt: skip
def test_without_rows_intervals_decide_and_without_either_nothing_does(
    repository: Repository, interval: tuple[float, float] | None, verdict: str, rule: str
) -> None:
    base = {"test/accuracy": 0.9, "test_interval/accuracy_low": 0.88, "test_interval/accuracy_high": 0.92}
    ends = zip(("test_interval/accuracy_low", "test_interval/accuracy_high"), interval or (), strict=False)
    after = {"test/accuracy": 0.96, **dict(ends)}
    found = two_results(repository, base, after)
    assert found["verdict"] == verdict
    assert [(one["name"], one["judgement"], one["rule"]) for one in found["metrics"]][:1] == [
        ("test/accuracy", verdict, rule)
    ]
    assert "test_interval/accuracy_low" not in [one["name"] for one in found["metrics"]] or interval is None


def test_a_metric_whose_better_end_nobody_knows_is_only_changed_until_a_headline_says(repository: Repository) -> None:
    base = {"gini": 0.2, "gini_low": 0.19, "gini_high": 0.21, "loss": 1.0}
    after = {"gini": 0.3, "gini_low": 0.29, "gini_high": 0.31, "loss": 0.5}
    found = two_results(repository, base, after)
    assert (judged(found, "gini")["judgement"], judged(found, "gini")["rule"]) == ("changed", "direction unknown")
    assert found["verdict"] == "cannot tell"
    repository.define(copying({"headline": {"gini": "minimize"}}))
    found = run()
    assert (found["verdict"], judged(found, "gini")["judgement"]) == ("worse", "worse")
    assert [one["name"] for one in found["metrics"] if one["decides"]] == ["gini"]


@pytest.mark.parametrize(("accuracy", "verdict", "sentence"), [
    ({"test/accuracy": 0.95, "test/accuracy_low": 0.94, "test/accuracy_high": 0.96}, "better",
     "Better: test/accuracy of copy."),
    ({"test/accuracy": 0.91, "test/accuracy_low": 0.9, "test/accuracy_high": 0.92}, "cannot tell",
     "Cannot tell: test/accuracy of copy may be chance."),
    ({"test/accuracy": 0.9, "test/accuracy_low": 0.89, "test/accuracy_high": 0.91}, "no metric changed",
     "No metric changed; 2 are new or gone, or do not count."),
])  # fmt: skip
def test_what_nobody_says_which_end_of_is_up_does_not_count_beside_a_headline_of_another_stage(
    repository: Repository, accuracy: dict[str, float], verdict: str, sentence: str
) -> None:
    export = {"cmd": "cp sizes.json export.json", "deps": ["sizes.json"], "metrics": ["export.json"]}
    repository.define(copying({"headline": {"test/accuracy": "maximize"}}) | {"export": export})
    before = {"test/accuracy": 0.9, "test/accuracy_low": 0.89, "test/accuracy_high": 0.91}
    for metrics, sizes in ((before, {"bytes": 100, "rows": 5}), (accuracy, {"bytes": 120, "rows": 6})):
        repository.write("source.json", metrics)
        repository.write("sizes.json", sizes)
        repository.dvc_here("repro")
        repository.commit("A result")
    found = run("--base", "HEAD^")
    assert (found["verdict"], found["sentence"]) == (verdict, sentence)
    for name in ("bytes", "rows"):
        assert (judged(found, name)["judgement"], judged(found, name)["decides"]) == ("changed", False)


def test_numbers_are_compared_by_the_squared_errors_of_the_rows(repository: Repository) -> None:
    chance = random.Random(0)
    truth = [chance.gauss(0, 1) for _ in range(100)]
    noise = [chance.gauss(0, 1) for _ in truth]

    def table(scale: float) -> str:
        rows = [(one, one + scale * error) for one, error in zip(truth, noise, strict=True)]
        rmse = math.sqrt(sum((one - other) ** 2 for one, other in rows) / len(rows))
        repository.write("source.json", {"test/rmse": round(rmse, 4)})
        return "y,guess\n" + "".join(f"{one!r},{other!r}\n" for one, other in rows)

    meta = {"predictions": {"rows.csv": {"truth": "y", "prediction": "guess"}}}
    repository.define(copying(meta, "rows.csv"))
    for scale in (1.0, 0.9):
        repository.write("source.csv", table(scale))
        repository.dvc_here("repro")
        repository.commit(f"{scale}")
    one = judged(run("--base", "HEAD^"), "test/rmse")
    assert (one["judgement"], one["rule"].partition(", p")[0]) == ("better", "paired, squared errors")


@pytest.mark.parametrize("labels", ["b\na\n" * 100, "a\nb\n" * 100 + "a\n"])
def test_predictions_of_other_rows_are_no_pairs(changing: Repository, labels: str) -> None:
    changing.write("raw.csv", f"label\n{labels}")
    changing.dvc_here("add", "--quiet", "raw.csv")
    reported.set_params(changing, wrong=8)
    changing.dvc_here("repro")
    assert judged(run(), "test.accuracy")["rule"] == "no interval, no paired rows"


def test_a_declared_column_that_is_not_there_is_named(changing: Repository) -> None:
    changing.define(reported.stages(predictions={"predictions.csv": {"truth": "y", "prediction": "predicted"}}))
    reported.set_params(changing, wrong=8)
    changing.dvc_here("repro")
    with (
        pytest.raises(UserError, match=r"evaluate: .*predictions\.csv has no column y: it has label, predicted"),
        compare(changing.root, "base"),
    ):
        pass


def test_the_exact_test_is_that_of_scipy() -> None:
    for only_before, only_after in product(range(8), (0, 1, 5, 40)):
        before = [1.0] * only_before + [0.0] * only_after + [1.0, 0.0]
        after = [0.0] * only_before + [1.0] * only_after + [1.0, 0.0]
        rows = only_before + only_after
        expected = binomtest(only_before, rows).pvalue if rows else 1.0
        assert mcnemar(before, after) == pytest.approx(expected)


def test_the_normal_approximation_is_near_the_t_test_and_refuses_few_rows() -> None:
    chance = random.Random(1)
    before = [chance.random() for _ in range(400)]
    after = [loss + chance.gauss(0.01, 0.1) for loss in before]
    differences = [other - one for one, other in zip(before, after, strict=True)]
    assert paired_normal(before, after) == pytest.approx(ttest_1samp(differences, 0).pvalue, rel=0.05)
    assert paired_normal(before[:20], after[:20]) is None


def test_one_small_p_value_among_many_tests_is_no_finding() -> None:
    def metric(p_value: float) -> Metric:
        return Metric("s", "accuracy", 0.8, 0.9, 1, True, p_value, "paired")

    assert [one.judgement for one in judge([metric(0.03)])] == ["better"]
    assert {one.judgement for one in judge([metric(0.03), *(metric(0.5) for _ in range(9))])} == {"cannot tell"}
    assert judge([metric(0.001), metric(0.5)])[0].rule == "paired, p = 0.002 (Holm, 2 tests)"


@pytest.mark.parametrize(("name", "expected"), [
    ("test/accuracy", 1), ("macro_f1", 1), ("roc_auc", 1), ("r2", 1), ("val.loss", -1), ("test/rmse", -1),
    ("time/fit_s", -1), ("classification_error", -1), ("rows", 0), ("lossless", 0), ("time_to_accuracy", 0),
])  # fmt: skip
def test_a_name_says_which_end_is_up_or_says_nothing(name: str, expected: int) -> None:
    assert direction(name, {}) == expected
    assert direction(name, {name: "minimize"}) == -1


def copying(meta: dict[str, Any], *outs: str) -> dict[str, Any]:
    """Return a stage whose metrics, and tables, are copies of files."""
    copies = ["cp source.json metrics.json", *(f"cp source{Path(out).suffix} {out}" for out in outs)]
    return {
        "copy": {
            "cmd": copies,
            "deps": ["source.json", *(f"source{Path(out).suffix}" for out in outs)],
            "outs": list(outs),
            "metrics": ["metrics.json"],
            "meta": {"provenn": meta},
        }
    }


def two_results(repository: Repository, before: dict[str, float], after: dict[str, float]) -> dict[str, Any]:
    """Commit one result, make another, and compare."""
    repository.define(copying({}))
    repository.write("source.json", before)
    repository.dvc_here("repro")
    repository.commit("Before")
    repository.write("source.json", after)
    repository.dvc_here("repro")
    return run()
