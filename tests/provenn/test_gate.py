"""The gate's rules: what keeps them, what breaks them, and what is said about a mistake."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from provenn.files import UserError
from provenn.gate import check_rules, gate
from provenn.metric_files import better_end, read_values

ROOT = Path(__file__).parents[2]
METRICS = {"accuracy": 0.9, "test/loss": 0.25, "a": {"b": 1, "c.d": 2}, "a/b": 3, "runs": [{"loss": 4}, {"loss": 5}]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("m.json").write_text(json.dumps(METRICS))
    return tmp_path


def rules(*lines: str) -> Path:
    """Write a gate.yaml of one rule, a line an entry."""
    Path("gate.yaml").write_text("- " + "\n  ".join(lines) + "\n")
    return Path("gate.yaml")


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(gate)
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


@pytest.mark.parametrize(("bound", "kept"), [
    ("at_least: 0.9", True), ("at_least: 0.91", False), ("at_most: 0.9", True), ("at_most: 0.89", False),
    ("above: 0.9", False), ("above: 0.89", True), ("below: 0.9", False), ("below: 0.91", True),
    ("at_least: m.json:accuracy", True), ("above: m.json:accuracy", False), ("above: m.json:test/loss", True),
    ("above: 9e-1", False), ("above: 1e-3", True),
])  # fmt: skip
def test_a_bound_is_a_number_or_another_metric_and_only_two_of_the_four_hold_on_it(bound: str, kept: bool) -> None:
    checked = check_rules(rules("rule: it is right", "metric: m.json:accuracy", bound))
    assert [rule.kept for rule in checked] == [kept]
    code, text = run()
    assert code == (0 if kept else 1)
    assert text.startswith(f"{'kept  ' if kept else 'BROKEN'}  it is right: 0.9 ")


@pytest.mark.parametrize(("key", "values"), [
    ("a/b", [3]), ("a.b", [1]), ("a/c.d", [2]), ("a.c.d", [2]), ("test/loss", [0.25]), ("runs/1/loss", [5]),
    ("runs/*", [4, 5]), ("*loss", [0.25, 4, 5]), ("{accuracy,a.b}", [0.9, 1]), ("acc*", [0.9]),
])  # fmt: skip
def test_a_key_is_found_flat_first_then_nested_then_as_a_pattern(key: str, values: list[float]) -> None:
    (checked,) = check_rules(rules("rule: x", f"metric: 'm.json:{key}'", "at_least: 0"))
    assert sorted(checked.values.values()) == sorted(values)


@pytest.mark.parametrize(("name", "text"), [
    ("m.yaml", "a: {loss: 1e-3}"), ("m.yml", "a:\n  loss: 1e-3"), ("m.toml", "[a]\nloss = 1e-3"),
    ("m.json", '{"a": {"loss": 1e-3}}'), ("deep/er/m.json", '{"a.loss": 0.001}'),
])  # fmt: skip
def test_metrics_are_read_from_json_yaml_and_toml(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)
    (checked,) = check_rules(rules("rule: x", f"metric: {name}:a.loss", "at_most: 1"))
    assert checked.values == {f"{name}:a.loss": 0.001}


def test_every_file_and_key_that_a_pattern_names_must_keep_the_rule_and_the_worst_is_shown() -> None:
    for name, values in {"one": [1, 2], "two": [3, 9], "one/more": [99]}.items():
        Path(name).mkdir()
        Path(name, "m.json").write_text(json.dumps({f"n{index}/loss": value for index, value in enumerate(values)}))
    metric = "metric: '{one,two}/m.json:*/loss'"
    assert run(str(rules("rule: x", metric, "at_most: 9")))[0] == 0
    code, text = run(str(rules("rule: x", metric, "at_most: 2")))
    assert (code, text) == (1, "BROKEN  x: 9 > 2 (two/m.json:n1/loss, the worst of 4)\n")
    assert run(str(rules("rule: x", "metric: 'one/**/m.json:n0/loss'", "at_least: 1")))[1].endswith("of 2)\n")


def test_numbers_that_differ_only_beyond_the_shown_digits_are_shown_in_full() -> None:
    assert "0.9 < 0.90000000001" in run(str(rules("rule: x", "metric: m.json:accuracy", "at_least: 0.90000000001")))[1]


def test_metric_files_are_named_from_the_folder_of_the_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = rules("rule: x", "metric: m.json:accuracy", "above: 0").absolute()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run(str(file))[0] == 0


def test_without_a_file_the_rules_are_those_at_the_root_of_the_dvc_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules("rule: x", "metric: m.json:accuracy", "above: 0")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert run() == (0, "kept    x: 0.9 > 0\n")


def test_json_says_what_was_compared() -> None:
    code, text = run(str(rules("rule: x", "metric: m.json:accuracy", "above: m.json:a.b")), "--json")
    expected = {"rule": "x", "values": {"m.json:accuracy": 0.9}, "bound": "above", "limit": 1, "kept": False}
    assert (code, json.loads(text)) == (1, [expected])


MISTAKES = {
    "at_leest is unknown: did you mean at_least?": ("rule: x", "metric: m.json:accuracy", "at_leest: 1"),
    "write one of at_least, at_most, above, below, not none": ("rule: x", "metric: m.json:accuracy"),
    "not at_least and below": ("rule: x", "metric: m.json:accuracy", "at_least: 1", "below: 2"),
    "`rule` is missing": ("metric: m.json:accuracy", "below: 2"),
    "`metric` is missing": ("rule: x", "below: 2"),
    "gone.json is missing": ("rule: x", "metric: gone.json:accuracy", "below: 2"),
    "no file matches gone/*.json": ("rule: x", "metric: gone/*.json:accuracy", "below: 2"),
    "gone.json is missing: restore it": ("rule: x", "metric: '{m,gone}.json:accuracy'", "below: 2"),
    "m.json has no c/d: it has": ("rule: x", "metric: 'm.json:{accuracy,c/d}'", "below: 2"),
    "m.json has no acuracy: did you mean accuracy?": ("rule: x", "metric: m.json:acuracy", "below: 2"),
    "m.json has no zzz*: it has accuracy": ("rule: x", "metric: m.json:zzz*", "below: 2"),
    "neither a number nor `file:key`": ("rule: x", "metric: m.json", "below: 2"),
    "below: '0.5' is neither a number nor `file:key`": ("rule: x", "metric: m.json:accuracy", "below: '0.5'"),
    "below is True: only a finite number": ("rule: x", "metric: m.json:accuracy", "below: true"),
    "below is nan: only a finite number": ("rule: x", "metric: m.json:accuracy", "below: .nan"),
    "bad.json:no is 'text': only a finite number": ("rule: x", "metric: bad.json:no", "below: 2"),
    "bad.json:nan is nan: only a finite number": ("rule: x", "metric: bad.json:nan", "below: 2"),
    "names 2 metrics: a bound is one": ("rule: x", "metric: m.json:accuracy", "below: m.json:runs/*"),
    "torn.json cannot be read": ("rule: x", "metric: torn.json:a", "below: 2"),
    "this is 'text'": ("text",),
}


@pytest.mark.parametrize("said", MISTAKES)
def test_a_mistake_is_one_sentence_that_names_the_rule_and_exits_with_2(said: str) -> None:
    Path("bad.json").write_text('{"no": "text", "nan": NaN}')
    Path("torn.json").write_text('{"a": 1')
    file = rules(*MISTAKES[said])
    with pytest.raises(UserError) as error:
        check_rules(file)
    assert said in str(error.value)
    code, text = run(str(file))
    assert (code, text) == (2, f"error: {error.value}\n")


@pytest.mark.parametrize("content", [None, "", "rule: x\n", "- rule: [\n"])
def test_a_file_that_is_no_list_of_rules_exits_with_2(content: str | None) -> None:
    if content is not None:
        Path("gate.yaml").write_text(content)
    code, text = run()
    assert code == 2
    assert text.startswith("error: gate.yaml ")
    assert text.count("\n") == 1


def test_this_repositorys_rules_are_kept_and_broken_by_the_right_results(folder: Path) -> None:
    """Results just within the promises keep all rules; each one beyond breaks its rule alone."""
    validation = {"mnist_softmax": 0.91, "mnist_mlp": 0.978, "mnist_mlp_plain": 0.965}
    validation |= {"moons_mlp": 0.9, "moons_mlp_plain": 0.9, "moons_logistic": 0.89}
    good = {f"train_mlp/{name}": {"val/accuracy": value} for name, value in validation.items()} | {
        f"evaluate/{task}": {f"{task}_scratch/coefficients/max_relative_from_least_squares": 1e-4}
        for task in ("linear", "multivariate", "polynomial")
    }
    (folder / "gate.yaml").write_bytes((ROOT / "gate.yaml").read_bytes())

    def broken(of: str = "", **values: float) -> list[int]:
        for name, metrics in good.items():
            path = folder / "results" / name / ("models.json" if name.startswith("evaluate/") else "metrics.json")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(metrics | (values if name == of else {})))
        return [number for number, rule in enumerate(check_rules(Path("gate.yaml")), 1) if not rule.kept]

    assert broken() == []
    assert broken("train_mlp/mnist_softmax", **{"val/accuracy": 0.9099}) == [1]
    assert broken("train_mlp/mnist_mlp", **{"val/accuracy": 0.9779}) == [2]
    assert broken("train_mlp/mnist_mlp_plain", **{"val/accuracy": 0.9649}) == [3]
    assert broken("train_mlp/moons_mlp_plain", **{"val/accuracy": 0.89}) == [4]
    worse = {"multivariate_module/coefficients/max_relative_from_least_squares": 2e-4}
    assert broken("evaluate/multivariate", **worse) == [5]


def test_no_rule_of_this_repository_judges_a_result_on_test_data() -> None:
    metrics = [str(rule[key]) for rule in read_values(ROOT / "gate.yaml") for key in rule if key != "rule"]
    assert not [metric for metric in metrics if "test/" in metric]


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("val/log_loss", "minimize"),
        ("test.RMSE", "minimize"),
        ("time/fit_s", "minimize"),
        ("top1_accuracy", "maximize"),
        ("r2", "maximize"),
        ("time/images_per_s", None),
        ("error/recall", None),
        ("effect", None),
        ("lossless", None),
    ],
)
def test_the_words_of_a_metrics_name_say_which_end_is_better_or_nothing(name, end):
    assert better_end(name) == end
