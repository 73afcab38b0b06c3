"""A recorded result is made again, bit for bit, from its commit, its data's digests and its uncommitted changes."""

import json
from pathlib import Path

import pytest
from repository import Repository

from provenn.files import UserError
from provenn.lock import read_lock
from provenn.repository import uncommitted_patch
from provenn.trust.reproduce import DIFFERENT, IDENTICAL, WITHIN_TOLERANCE, compare, reproduce
from provenn.trust.tolerance import judge
from provenn.view.store import connect
from provenn.view.sync import synchronise

HERE, ELSEWHERE = "x86_64 AVX512F; threads 1", "x86_64 AVX2; threads 1"
TRAINING = "train_regression@linear-scratch"


@pytest.mark.parametrize(
    ("loss", "platforms", "verdict", "code"),
    [
        (0.501, (HERE, ELSEWHERE), WITHIN_TOLERANCE, 3),
        (0.501, (None, HERE), WITHIN_TOLERANCE, 3),
        (0.501, (HERE, HERE), DIFFERENT, 4),
        (0.6, (HERE, ELSEWHERE), DIFFERENT, 4),
    ],
)
def test_other_bits_are_excused_by_another_platform_alone_and_within_the_tolerance(
    loss: float, platforms: tuple[str | None, str | None], verdict: str, code: int
) -> None:
    answer = compare({"model": "1"}, {"model": "2"}, judge({"val/loss": 0.5}, {"val/loss": loss}, {}), platforms)
    assert answer.verdict == verdict
    assert answer.exit_code == code
    assert [(number.recorded, number.now) for number in answer.numbers] == [(0.5, loss)]


def test_equal_bytes_are_identical_on_any_platform() -> None:
    assert compare({"model": "1"}, {"model": "1"}, [], (HERE, ELSEWHERE)).verdict == IDENTICAL


def test_other_bytes_that_no_number_speaks_of_are_different_on_any_platform() -> None:
    assert compare({"model": "1"}, {"model": "2"}, [], (HERE, ELSEWHERE)).verdict == DIFFERENT


@pytest.mark.parametrize(
    ("name", "recorded", "now", "close"),
    [
        ("different_predictions", 0.0, 9999.0, False),  # whole numbers are equal or they are not
        ("rows", 10000.0, 10000.0, True),
        ("entropy", 2.0, 2.019, True),  # a name that nobody thought of is judged as any other
        ("entropy", 2.0, 2.021, False),
        ("val/loss", 0.5, None, False),
        ("p_value", 0.04, 0.3, False),
        ("mnist/accuracy", 0.98, 0.984, True),
        ("mnist/accuracy", 0.98, 0.986, False),
        ("epoch", 19.0, 21.0, True),
        ("ratio", -2.0, -2.09, True),
        ("ratio", -2.0, -2.11, False),
    ],
)
def test_every_number_is_judged_by_a_rule_of_its_own(
    name: str, recorded: float, now: float | None, close: bool
) -> None:
    tolerances: dict[str, float | str] = {"*accuracy": 0.005, "epoch": 5, "ratio": "5 %"}
    (number,) = judge({name: recorded}, {} if now is None else {name: now}, tolerances)
    assert number.close == close
    # Even one number that is not close makes the results different.
    numbers = [*judge({"fine": 1.0}, {"fine": 1.0}, {}), number]
    verdict = compare({"model": "1"}, {"model": "2"}, numbers, (HERE, ELSEWHERE)).verdict
    assert verdict == (WITHIN_TOLERANCE if close else DIFFERENT)


@pytest.mark.slow
def test_a_training_with_uncommitted_changes_is_made_again_bit_for_bit(linear: Repository) -> None:
    # A parameter, a line of code in a file that git knows, and a file that it does not know.
    linear.change_params(lambda values: values["train_regression"]["linear"]["scratch"].update(max_iterations=12))
    script = linear.root / "stages/train_regression.py"
    script.write_text(script.read_text().replace("import time\n", "import time\nimport extra  # noqa: F401\n", 1))
    (linear.root / "src/extra.py").write_text("# new\n")
    linear.dvc("repro", TRAINING)
    recorded = read_lock(linear.root)[TRAINING].outs
    linear.git("checkout", "--quiet", "params.yaml", "stages", "src")
    (linear.root / "src/extra.py").unlink()

    answer = reproduce(TRAINING, linear.root)
    assert answer.verdict == IDENTICAL
    assert {path: now for path, (_, now) in answer.outputs.items()} == recorded
    assert linear.git("status", "--porcelain", "--", "params.yaml", "stages", "src") == ""


@pytest.mark.slow
def test_a_result_that_does_not_come_out_again_is_called_different(linear: Repository) -> None:
    results = linear.root / "results/train_regression/linear-scratch/metrics.json"
    metrics = json.loads(results.read_text())
    results.write_text(json.dumps(metrics | {"val/loss": 0.5 * metrics["val/loss"]}))
    linear.dvc("commit", "--force", "--quiet", TRAINING)  # a forged result
    linear.commit("Better than it is")
    shown = linear.provenn("reproduce", "--json", TRAINING, code=4)
    answer = json.loads(shown.stdout)
    assert answer["verdict"] == DIFFERENT
    (loss,) = (number for number in answer["numbers"] if number["name"] == "val/loss")
    assert (loss["recorded"], loss["now"]) == (0.5 * metrics["val/loss"], metrics["val/loss"])
    differing = {path for path, (recorded, now) in answer["outputs"].items() if recorded != now}
    assert differing == {str(results.relative_to(linear.root))}


@pytest.mark.slow
def test_what_cannot_be_run_again_is_refused_in_one_sentence(linear: Repository) -> None:
    report = synchronise(linear.root)
    (run,) = (stage.run_id for stage in report.stages if stage.stage == TRAINING)
    connect(linear.root).set_tag(run, "git.commit", "0" * 40)
    with pytest.raises(UserError, match="it is not in this clone; `git fetch --all` may bring it"):
        reproduce(run, linear.root)
    connect(linear.root).set_tag(run, "git.commit", linear.git("rev-parse", "HEAD").strip())
    data = read_lock(linear.root)["generate_synthetic"].outs["data/linear/development"]
    (linear.root / ".dvc/cache/files/md5" / data[:2] / data[2:]).unlink()
    (linear.root / "data/linear/development/table.csv").unlink()
    with pytest.raises(UserError, match=r"data/linear/development, which .* read, is nowhere: make it with `dvc repro"):
        reproduce(run, linear.root)


def test_a_patch_holds_changed_and_new_files_and_leaves_the_index_alone(plain: Path) -> None:
    (plain / "params.yaml").write_text("rate: 2\n")
    (plain / "src/new.py").write_text("print()\n")
    patch, note = uncommitted_patch(plain)
    assert note == ""
    assert "+rate: 2" in patch
    assert "+print()" in patch
    assert _git(plain, "status", "--porcelain") == " M params.yaml\n?? src/new.py\n"


@pytest.mark.parametrize(
    "secret",
    [
        "password = 'correct-horse'",
        "AWS = 'AKIAABCDEFGHIJKLMNOP'",
        "url: https://me:letmein@example.org",
        "api_key: 0123456789",
    ],
)
def test_a_patch_with_a_secret_is_left_out(plain: Path, secret: str) -> None:
    (plain / "src/new.py").write_text(secret + "\n")
    patch, note = uncommitted_patch(plain)
    assert patch is None
    assert "looks like a password or a key" in note


def test_a_patch_that_is_too_large_is_left_out(plain: Path) -> None:
    (plain / "src/new.py").write_text("x\n" * 500_001)
    patch, note = uncommitted_patch(plain)
    assert patch is None
    assert "more than 1,000,000" in note


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A git repository with a parameter and a source file."""
    (tmp_path / "src").mkdir()
    (tmp_path / "params.yaml").write_text("rate: 1\n")
    (tmp_path / "src/old.py").write_text("pass\n")
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", "--all")
    _git(tmp_path, "-c", "user.email=a@example.org", "-c", "user.name=A", "commit", "--quiet", "-m", "Plain")
    return tmp_path


def _git(root: Path, *arguments: str) -> str:
    import subprocess

    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout
