"""What is no repository, lock or pipeline: one sentence on standard error, exit code 1, and nothing is written."""

from pathlib import Path

import pytest
from repository import Repository
from typer.testing import CliRunner

from provenn.cli import app
from provenn.files import UserError

STAGE = {"cmd": "echo 1 > a.txt", "outs": ["a.txt"]}
MERGED = "schema: '2.0'\nstages:\n<<<<<<< HEAD\n  a:\n=======\n  b:\n>>>>>>> other\n"


def files(folder: Path) -> set[str]:
    """Return the files of a folder, without what DVC itself keeps in .dvc/tmp."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in found if not name.startswith((".dvc/tmp/", ".git/", "mlruns/"))}


def refusal(*arguments: str) -> str:
    """Return the one sentence with which the command refuses."""
    answer = CliRunner().invoke(app, arguments).exception
    assert isinstance(answer, UserError), answer
    return str(answer)


@pytest.mark.parametrize("lock", ["", "no lock", MERGED, "schema: '2.0'\nstages: {a: {outs: 3}}\n"])
@pytest.mark.parametrize("command", [("repro",), ("sync",), ("init",), ("lineage", "a"), ("reproduce", "a")])
def test_a_lock_that_is_none(repository, command, lock):
    repository.define({"a": STAGE})
    repository.write("dvc.lock", lock)
    before = files(repository.root)
    sentence = refusal(*command)
    assert "dvc.lock" in sentence
    assert "\n" not in sentence
    assert files(repository.root) == before
    assert repository.runs() == []


@pytest.mark.parametrize("command", ["repro", "lineage", "reproduce"])
def test_an_unknown_target(repository, command):
    repository.define({"train": STAGE})
    assert "trian" in refusal(command, "trian")


def test_a_stage_that_dvc_yaml_no_longer_has_is_no_target(repository):
    repository.define({"old": STAGE})
    repository.dvc_here("repro")
    repository.define({"new": {"cmd": "true", "deps": ["a.txt"]}})
    assert "old" in refusal("repro", "old")
    assert "old" in refusal("lineage", "old")


def test_a_pipeline_in_a_circle(repository):
    circle = {"a": {"cmd": "true", "deps": ["y"], "outs": ["x"]}, "b": {"cmd": "true", "deps": ["x"], "outs": ["y"]}}
    repository.define(circle)
    assert "both a dependency and an output in stages" in refusal("repro")


@pytest.mark.parametrize("command", [("repro",), ("sync",), ("init",), ("lineage", "a"), ("reproduce", "a"), ("ui",)])
def test_a_folder_that_is_no_dvc_repository(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    assert "dvc init" in refusal(*command)
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_is_one_line_on_standard_error_and_exit_code_1(tmp_path):
    answer = Repository(tmp_path).provenn("sync", code=1)
    assert (answer.stdout, answer.stderr.count("\n")) == ("", 1)


def test_without_git_a_result_has_no_commit_and_cannot_be_repeated(tmp_path, empty_store, monkeypatch):
    repository = Repository.make(tmp_path / "plain", git=False)
    monkeypatch.chdir(repository.root)
    repository.define({"a": STAGE})
    repository.show()
    assert "git.commit" not in repository.run_of("a").data.tags
    answer = CliRunner().invoke(app, ["lineage", "a"])
    assert answer.exit_code == 0
    assert "this repository has no git" in answer.stdout
    assert "no git" in refusal("reproduce", "a")
