"""Edits that keep a file's size and times: DVC does not see them, `provenn repro` does."""

import os
from pathlib import Path

import pytest
from repository import Repository
from sleeping import Watcher, noted, stage

from provenn.repro.plan import open_repository, read_plan
from provenn.repro.runner import reproduce
from provenn.repro.unseen_edits import forget_unseen_edits

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("untold")]
LONG_AGO = (1_500_000_000_000_000_000, 1_500_000_000_000_000_000)


def repro() -> dict[str, str]:
    return dict(reproduce(Path.cwd(), (), 2, Watcher()).outcomes)


def edit_unseen(path: Path, content: str) -> None:
    """Change a file as `rsync --times` or `touch -r` does."""
    before = path.stat()
    assert len(content) == before.st_size
    path.chmod(0o644)
    path.write_text(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def done(sleeping: Repository) -> Repository:
    """A repository with a file and a folder as dependencies, everything done."""
    sleeping.write("in.csv", "1\n")
    sleeping.write("data/deep/in.csv", "1\n")
    sleeping.define({"a": stage("a", 0, ("in.csv",)), "b": stage("b", 0, ("data",)), "c": stage("c", 0, ("a.txt",))})
    repro()
    return sleeping


@pytest.mark.parametrize("age", ["just made", "made long ago"])
@pytest.mark.parametrize(
    ("path", "outcomes"),
    [
        ("in.csv", {"a": "ran", "b": "unchanged", "c": "unchanged"}),
        ("data/deep/in.csv", {"a": "unchanged", "b": "ran", "c": "unchanged"}),
    ],
)
@pytest.mark.fault(
    "A dependency is edited, and size and modification time are kept (`touch -r`, `rsync --times`)",
    "`provenn repro` hashes it again and runs the stage; DVC alone calls it unchanged",
)
def test_an_edit_that_keeps_size_and_time_runs_the_stage(done, path, outcomes, age):
    if age == "made long ago":
        os.utime(done.root / path, ns=LONG_AGO)
        assert set(repro().values()) == {"unchanged"}
    edit_unseen(done.root / path, "2\n")
    assert "Data and pipelines are up to date" in done.dvc("status"), "DVC itself does not see it"
    assert repro() == outcomes
    assert set(repro().values()) == {"unchanged"}


@pytest.mark.fault(
    "An output is edited, and size and modification time are kept", "its stage is restored from the cache"
)
def test_an_output_that_was_edited_unseen_is_put_back(done):
    repro()
    edit_unseen(done.root / "a.txt", "a.txt of b\n")
    assert repro() == {"a": "restored", "b": "unchanged", "c": "unchanged"}
    assert (done.root / "a.txt").read_text() == "a.txt of a\n"


def test_an_old_copy_that_is_new_here_is_hashed_though_it_was_never_seen(done):
    # As after `dvc repro` alone: nothing is known of the files yet.
    (done.root / ".dvc/tmp/provenn/times.json").unlink()
    os.utime(done.root / "in.csv", ns=LONG_AGO)
    done.dvc("status")
    edit_unseen(done.root / "in.csv", "2\n")
    assert repro()["a"] == "ran"


def test_times_that_change_without_the_content_run_nothing(done):
    before = noted(done)
    for path in (done.root / "in.csv", done.root / "data/deep/in.csv", done.root / "a.txt"):
        path.chmod(0o600)
        os.utime(path, ns=LONG_AGO)
        edit_unseen(path, path.read_text())
    assert set(repro().values()) == {"unchanged"}
    assert noted(done) == before


def test_what_was_looked_at_once_is_not_hashed_each_time(done, monkeypatch):
    os.utime(done.root / "in.csv", ns=LONG_AGO)
    repro()
    plan = read_plan(open_repository(done.root), [])
    forgotten: list[str] = []
    monkeypatch.setattr(type(plan.repo.state.hashes), "delete", lambda hashes, path: forgotten.append(path))
    forget_unseen_edits(plan)
    assert forgotten == []
    (done.root / "in.csv").chmod(0o600)
    forget_unseen_edits(plan)
    assert forgotten == [str(done.root / "in.csv")]
