"""`provenn new`: a project that runs, is right by scikit-learn's own numbers, and is traced to its commit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from repository import IDENTITY, Repository
from ruamel.yaml import YAML
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from statsmodels.stats.proportion import proportion_confint
from typer.testing import CliRunner
from workflows import lint

from provenn.adopt import new as command
from provenn.cli import app
from provenn.files import UserError

RUFF = ["--isolated", "--line-length=120"]
RULES = "--select=E,F,W,I,B,UP,SIM,RUF,PT,PTH,N"
PREDICT = """
import json, sys
import mlflow, pandas
store, model, rows = sys.argv[1:]
mlflow.set_tracking_uri(store)
loaded = mlflow.pyfunc.load_model(model)
print(json.dumps(loaded.predict(pandas.DataFrame(json.loads(rows))).tolist()))
"""


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    """Work in an empty folder, as somebody whom git knows."""
    monkeypatch.chdir(tmp_path)
    known = [part.removeprefix("user.") for part in IDENTITY if part.startswith("user.")]
    (tmp_path / ".gitconfig").write_text("\n".join(["[user]", *known, ""]))
    monkeypatch.setenv("HOME", str(tmp_path))


def new(*arguments: str) -> Repository:
    """Make a project; return its repository."""
    answer = CliRunner().invoke(app, ["new", *arguments])
    assert answer.exit_code == 0, answer
    return Repository(Path(arguments[0]).resolve())


def refusal(*arguments: str) -> str:
    """Return the one sentence with which the command refuses; nothing may have been made."""
    before = sorted(Path.cwd().rglob("*"))
    answer = CliRunner().invoke(app, ["new", *arguments])
    assert isinstance(answer.exception, UserError), answer
    assert sorted(Path.cwd().rglob("*")) == before
    return str(answer.exception)


def metrics(project: Repository) -> dict[str, float]:
    """Return what the stages measured."""
    files = [project.root / f"results/{stage}/metrics.json" for stage in ("train", "evaluate")]
    return {name: value for file in files for name, value in json.loads(file.read_text()).items()}


def expect(project: Repository, oracle: dict[str, float]) -> None:
    """Compare with what scikit-learn says when it is called by hand."""
    assert metrics(project) == {name: pytest.approx(value, rel=1e-9) for name, value in oracle.items()}


def check_made_project(project: Repository, name: str) -> None:
    """Run a new project's stages and tests, trace its model and let MLflow load it."""
    commit = project.git("rev-parse", "HEAD")
    assert project.git("status", "--porcelain") == ""
    project.provenn("repro")
    project.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    project.provenn("gate")
    assert "lacks a file" in project.provenn("deps", "--check").stdout

    traced = project.provenn("lineage", f"models:/{name}@champion").stdout
    assert f"commit {commit} clean" in traced
    assert "made by prepare" in traced

    example = json.loads((project.root / "export/example.json").read_text())
    store = f"sqlite:///{project.root}/mlruns/mlflow.db"
    asked = [sys.executable, "-c", PREDICT, store, f"models:/{name}@champion", json.dumps(example["rows"])]
    # Elsewhere, so that the code is that which MLflow keeps with the model.
    done = subprocess.run(asked, cwd=project.root.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == example["predictions"]


@pytest.mark.slow
def test_the_drawn_table_becomes_a_project_that_runs_and_runs_again_to_the_same_bytes():
    project = new("Ripe Fruit")
    check_made_project(project, "ripe-fruit")
    for kind in (["check", RULES], ["format", "--check"]):
        project.run(sys.executable, "-m", "ruff", *kind, *RUFF, ".")
    for file in (project.root / ".github/workflows").glob("*.yml"):
        lint(file)
    assert len(metrics(project)) == 6
    project.git("add", "--all")
    project.git("commit", "--quiet", "-m", "Results")
    assert "bit-identical" in project.provenn("reproduce", "train").stdout
    assert "Nothing to write" in project.provenn("init").stdout


@pytest.mark.slow
def test_wine_is_classified_as_scikit_learn_does_it():
    table = load_wine(as_frame=True).frame
    table.to_csv("wine.csv", index=False)
    project = new("wine", "--csv", "wine.csv", "--target", "target")
    check_made_project(project, "wine")

    X, y = load_wine(return_X_y=True)
    rows = round(len(y) * 0.2)
    X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=rows, random_state=0, stratify=y)
    X_train, X_val, y_train, y_val = train_test_split(X_rest, y_rest, test_size=rows, random_state=0, stratify=y_rest)
    scaler = StandardScaler().fit(X_train)
    model = LogisticRegression(max_iter=1000).fit(scaler.transform(X_train), y_train)
    right = int((model.predict(scaler.transform(X_test)) == y_test).sum())
    low, high = proportion_confint(right, rows, method="wilson")
    expect(
        project,
        {
            "val/accuracy": model.score(scaler.transform(X_val), y_val),
            "val/baseline_accuracy": np.mean(y_val == np.bincount(y_train).argmax()),
            "test/accuracy": right / rows,
            "test_interval/accuracy_low": low,
            "test_interval/accuracy_high": high,
            "test/rows": rows,
        },
    )


@pytest.mark.slow
def test_diabetes_is_a_regression_as_scikit_learn_does_it():
    load_diabetes(as_frame=True).frame.to_csv("diabetes.csv", index=False)
    project = new("diabetes", "--csv", "diabetes.csv", "--target", "target")
    check_made_project(project, "diabetes")

    X, y = load_diabetes(return_X_y=True)
    rows = round(len(y) * 0.2)
    X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=rows, random_state=0)
    X_train, X_val, y_train, y_val = train_test_split(X_rest, y_rest, test_size=rows, random_state=0)
    scaler = StandardScaler().fit(X_train)
    model = Ridge(alpha=1.0).fit(scaler.transform(X_train), y_train)
    predicted = model.predict(scaler.transform(X_test))
    found = metrics(project)
    # The delta method's standard error of an RMSE, for the bootstrap's interval.
    squares = (y_test - predicted) ** 2
    rmse = np.sqrt(squares.mean())
    error = squares.std(ddof=1) / np.sqrt(rows) / (2 * rmse)
    low, high = found.pop("test_interval/rmse_low"), found.pop("test_interval/rmse_high")
    assert (low, high) == (pytest.approx(rmse - 1.96 * error, rel=0.03), pytest.approx(rmse + 1.96 * error, rel=0.03))
    assert found == {
        name: pytest.approx(value, rel=1e-9)
        for name, value in {
            "val/rmse": np.sqrt(np.mean((y_val - model.predict(scaler.transform(X_val))) ** 2)),
            "val/baseline_rmse": np.sqrt(np.mean((y_val - y_train.mean()) ** 2)),
            "test/rmse": rmse,
            "test/r2": r2_score(y_test, predicted),
            "test/rows": rows,
        }.items()
    }


@pytest.mark.parametrize(
    ("values", "classification"),
    [
        (["a", "b"] * 20, True),
        ([True, False] * 20, True),
        ([0, 1, 2, None] * 10, True),
        ([0.5, 1.0] * 20, False),
        (range(40), False),
    ],
)
def test_the_target_tells_classes_from_numbers(values, classification):
    pd.DataFrame({"x": range(40), "a: 'b' {{c}}": values}).to_csv("table.csv", index=False)
    project = new("made", "--csv", "table.csv", "--target", "a: 'b' {{c}}")
    params = YAML(typ="safe").load(project.root / "params.yaml")
    assert params["target"] == "a: 'b' {{c}}"
    assert ("inverse_regularisation" in params["train"]) == classification


def test_a_large_table_is_kept_by_dvc(monkeypatch):
    monkeypatch.setattr(command, "GIT_LIMIT", 100)
    project = new("fruit")
    assert "data/raw.csv.dvc" in project.git("ls-files")
    assert "data/raw.csv\n" not in project.git("ls-files")
    assert project.git("status", "--porcelain") == ""


def test_without_git_the_project_is_made_and_not_committed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    answer = CliRunner().invoke(app, ["new", "fruit"])
    assert answer.exit_code == 0, answer
    assert "Nothing is committed yet" in answer.output
    assert Path("fruit/.dvc/config").exists()
    assert not Path("fruit/.git").exists()


def write_csv(**columns: object) -> tuple[str, ...]:
    """Write a table of 40 rows; return the options that name it and the column y."""
    pd.DataFrame({"x": range(40)} | columns).to_csv("table.csv", index=False)
    return ("--csv", "table.csv", "--target", "y")


def test_a_folder_with_something_in_it_is_refused():
    Path("here").mkdir()
    Path("here", "file").touch()
    assert "not empty" in refusal("here")


def test_a_table_without_the_column_is_refused():
    assert "no column y: it has x, z" in refusal("made", *write_csv(z=1))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (1, "one value"),
        (None, "no value"),
        ([1, 2] + [None] * 38, "2 rows with a y"),
        ([f"text {row}" for row in range(40)], "no classes"),
    ],
)
def test_a_target_from_which_nothing_is_learned_is_refused(values, reason):
    assert reason in refusal("made", *write_csv(y=values))


def test_a_table_of_the_target_alone_or_with_row_numbers_is_refused():
    pd.DataFrame({"y": range(40)}).to_csv("table.csv", index=False)
    assert "no column besides y" in refusal("made", "--csv", "table.csv", "--target", "y")
    pd.DataFrame({"x": 1, "y": range(40)}).to_csv("table.csv")
    assert "row numbers" in refusal("made", "--csv", "table.csv", "--target", "y")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00y", None])
def test_what_is_no_table_is_refused(content):
    if content is not None:
        Path("table.csv").write_bytes(content)
    assert "cannot be read as a table" in refusal("made", "--csv", "table.csv", "--target", "y")


def test_options_that_do_not_go_together_are_refused():
    assert "go together" in refusal("made", "--target", "y")
    assert "go together" in refusal("made", "--csv", "table.csv")
    assert "no letter" in refusal("…")
