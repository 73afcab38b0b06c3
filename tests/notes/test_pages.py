"""`python -m notes`: the results as they are in results/, and a README that shows them."""

import json
import re

import pytest
from scipy import stats
from typer.testing import CliRunner

from notes import numeric
from notes.__main__ import app
from notes.data.tasks import TASKS
from notes.files import UserError, write_json, write_rows
from notes.intervals import Interval, metrics_of_interval
from notes.pages import comparing, readme

README = "# Notes\n" + "".join(
    f"<!-- {name}: begin --><!-- {name}: end -->\n" for name in ("results", "comparison", "record")
)


def evaluate(root, task, **values):
    """Write what `evaluate` would, for models with these test values; the first is the champion."""
    folder, names = root / "results/evaluate" / task, list(values)
    metrics = {
        key: number
        for name, value in values.items()
        for key, number in metrics_of_interval(
            f"{task}_{name}", TASKS[task].primary_metric, Interval(value, value - 0.01, value + 0.01)
        ).items()
    }
    write_json(folder / "models.json", metrics)
    write_json(folder / "champion.json", {"model": f"{task}_{names[0]}"})
    model, counterpart = sorted(names, reverse=True)
    pair = {"model": f"{task}_{model}", "counterpart": f"{task}_{counterpart}"}
    pair |= {"differs": "dropout, L2", "difference": -0.01, "difference_low": -0.02, "difference_high": 0.001}
    pair |= {"conclusion": "p = 0.25"}
    write_rows(folder / "tables/paired_tests.csv", [pair])
    write_rows(folder / "tables/predictions.csv", [{"true": 1, "predicted": 1}] * 1200)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    for task in ("linear", "multivariate", "polynomial"):
        evaluate(tmp_path, task, scratch=0.9, dummy=2.5)
    for task in ("moons", "mnist"):
        evaluate(tmp_path, task, mlp=0.97, forest=0.98)
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "params.yaml").write_text("numeric: portable\n")
    monkeypatch.chdir(tmp_path)
    readme.update()
    return tmp_path


def test_the_readme_shows_every_model_the_best_of_a_task_first_with_its_counterpart(repository):
    rows = [line for line in (repository / "README.md").read_text().splitlines() if line.startswith("| m")]
    assert [row.split(" | ")[1] for row in rows if row.startswith("| mnist ")] == ["mnist_forest", "mnist_mlp ★"]
    text = (repository / "README.md").read_text()
    assert "| linear | linear_scratch ★ | rmse | 1,200 | 0.9000 | 0.8900 to 0.9100 |" in text
    assert "| linear_scratch | dummy | dropout, L2 | -0.01 | -0.02 to 0.001 | p = 0.25 |" in text


def test_the_record_has_the_interval_of_the_seeds_and_that_of_the_test_images(repository):
    metrics = {"seeds": 5, "test/accuracy": 0.99466}
    metrics |= {f"test/accuracy_{end}": 0.99466 + shift for end, shift in (("low", -4e-4), ("high", 4e-4))}
    metrics |= {f"test/accuracy_{end}": 0.99466 + shift for end, shift in (("lowest", -3e-4), ("highest", 5e-4))}
    write_json(repository / "experiments/record/results/evaluate_seeds/mnist_wide/metrics.json", metrics)
    # scipy's Wilson interval is the oracle: 9,947 of 10,000 images.
    low, high = stats.binomtest(9947, 10_000).proportion_ci(method="wilson")
    expected = f"| 99.43 to 99.51 | {100 * low:.2f} to {100 * high:.2f} | 99.44 to 99.52 |"
    assert f"| mnist_wide | 5 | 99.466 % {expected}" in readme.record_table(repository)


def test_the_comparison_over_seeds_shows_what_differs_and_p_values_that_are_holms(repository):
    for folder, title, p_value in (("fashion_mnist", "Fashion-MNIST", 0.02), ("mnist", "MNIST", 0.04)):
        pair = {"counterpart": "mnist_mlp_classifier", "differs": "dropout", "accuracy": 0.89, "p_value": p_value}
        pair |= {"counterpart_accuracy": 0.88, "difference": 0.01, "difference_low": -0.002, "difference_high": 0.022}
        path = repository / "experiments/comparison" / folder / "results/compare_seeds/metrics.json"
        write_json(path, {"dataset": title, "mnist_mlp": pair})
    first, second = readme.comparison_table(repository).splitlines()[2:]
    assert first == ("| MNIST | mlp | mlp_classifier | dropout | 89.00 % | 88.00 % | +1.00 | -0.20 to +2.20 | 0.04 |")
    assert second.startswith("| Fashion-MNIST | mlp ")
    assert second.endswith("| 0.04 |")


def test_a_new_result_makes_the_readme_stale_until_it_is_updated(repository):
    assert readme.check() == "README.md is up to date."
    evaluate(repository, "moons", mlp=0.96, forest=0.98)
    with pytest.raises(UserError, match="python -m notes readme"):
        readme.check()
    assert readme.update()
    assert not readme.update()


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        ({"forest": 0.971, "mlp": 0.979}, None),  # another order and another champion
        ({"forest": 0.98, "mlp": 0.95}, "moons moons_mlp is 0.95, not within 0.96 to 0.98"),
        ({"tree": 0.98, "mlp": 0.97}, "moons moons_forest stands in one of them alone"),
    ],
)
def test_on_another_platform_values_within_the_intervals_pass_and_no_others(repository, models, reason):
    text = (repository / "README.md").read_text()
    (repository / "README.md").write_text(
        text.replace(comparing.mark(repository), "<!-- Numbers made on pdp11 FPP -->")
    )
    evaluate(repository, "moons", **models)
    if reason:
        with pytest.raises(UserError, match=reason):
            readme.check()
    else:
        assert "shows the numbers of pdp11 FPP" in readme.check()


@pytest.mark.parametrize("mode", ["portable", "native"])
def test_a_page_says_on_which_numeric_platform_it_was_made(repository, mode):
    (repository / "params.yaml").write_text(f"numeric: {mode}\n")
    assert re.fullmatch(r"<!-- Numbers made on \w+ (portable AVX2|\S+ [A-Z0-9]+) -->", comparing.mark(repository))
    assert numeric.numeric_platform(mode) in comparing.mark(repository)


def test_the_summary_shows_what_there_is_and_names_the_task_that_is_missing(repository):
    (repository / "results/evaluate/moons/models.json").unlink()
    shown = CliRunner().invoke(app, ["summary"]).output
    assert "mnist_mlp ★" in shown
    assert "linear_scratch dropout, L2 p = 0.25" in " ".join(shown.replace("│", " ").split())
    assert "moons_mlp" not in shown
    assert "moons: not evaluated yet, run `dvc repro evaluate@moons`" in shown
    found = json.loads(CliRunner().invoke(app, ["summary", "--json"]).output)
    assert {row["task"] for row in found} == {"linear", "multivariate", "polynomial", "mnist"}


def test_a_summary_without_any_result_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "run `make repro` first" in str(CliRunner().invoke(app, ["summary"]).exception)
