"""Stages in sub-folders, said from wherever the user is, while they work: by DVC alone and by `provenn repro`."""

import os
import signal
import time

import pytest
from repository import Repository

from provenn.lock import read_lock

TRACKED = """
import os, pathlib, sys, time
from provenn.record import track

with track() as run:
    run.log({"loss": 0.5}, step=1)
    pathlib.Path("pid.txt").write_text(str(os.getpid()))
    while sys.argv[1] == "wait" and not os.path.exists("go"):
        time.sleep(0.05)
    if sys.argv[1] == "fail":
        raise ValueError("it cannot be")
    pathlib.Path("a.txt").write_text("1")
"""
SILENT = {"cmd": "echo '{\"n\": 1}' > m.json", "metrics": ["m.json"]}


def two_folders(repository: Repository, mode: str) -> None:
    """Write a stage `train` in the root and one in the folder book."""
    repository.write("tracked.py", TRACKED)
    stage = {"cmd": f"python {repository.root}/tracked.py {mode}", "outs": ["a.txt"]}
    repository.write("book/dvc.yaml", {"stages": {"train": stage}})
    repository.define({"train": SILENT})


def wait_for(found) -> None:
    end = time.monotonic() + 120
    while not found():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_a_plain_repro_in_a_folder_names_the_stage_from_the_root(repository):
    two_folders(repository, "now")
    repository.dvc_here("repro", folder="book")
    assert repository.run_of("book/dvc.yaml:train").data.metrics == {"loss": 0.5}


@pytest.mark.slow
def test_a_target_is_named_from_the_folder_and_a_stage_that_says_nothing_is_shown_with_its_times(repository):
    two_folders(repository, "now")
    Repository(repository.root / "book", repository.environment).provenn(
        "repro", "train", PYTHONPATH=repository._environment()["PYTHONPATH"]
    )
    assert list(read_lock(repository.root)) == ["book/dvc.yaml:train"]
    repository.provenn("repro")
    assert repository.run_of("book/dvc.yaml:train").data.metrics == {"loss": 0.5}
    silent = repository.run_of("train")
    assert silent.data.metrics == {"n": 1}
    assert silent.info.end_time > silent.info.start_time


@pytest.mark.slow
@pytest.mark.parametrize("command", [("dvc", "repro", "--all-pipelines"), ("provenn", "repro")], ids=["dvc", "provenn"])
def test_a_curve_is_live_and_a_killed_stage_is_killed(repository, command):
    two_folders(repository, "wait")
    work = repository.start(*command)
    wait_for(lambda: any("loss" in run.data.metrics for run in repository.runs()))
    (run,) = (run for run in repository.runs() if "loss" in run.data.metrics)
    assert (run.info.status, run.data.metrics) == ("RUNNING", {"loss": 0.5})
    os.kill(int((repository.root / "book/pid.txt").read_text()), signal.SIGKILL)
    work.communicate(timeout=300)
    wait_for(lambda: repository.client().get_run(run.info.run_id).info.status != "RUNNING")
    ended = repository.client().get_run(run.info.run_id)
    assert ended.info.status == "KILLED"
    assert "killed" in ended.data.tags["failure"]


@pytest.mark.slow
def test_a_failed_stage_says_why(repository):
    two_folders(repository, "fail")
    repository.provenn("repro", code=1)
    (failed,) = (run for run in repository.runs() if run.info.status == "FAILED")
    assert failed.data.tags["failure"] == "ValueError: it cannot be"


@pytest.mark.slow
def test_the_own_earlier_run_is_restored_though_the_lock_is_of_another_machine(repository, tmp_path):
    repository.define({"a": {"cmd": "echo $MACHINE > a.txt; echo ran >> ../ran", "deps": ["in"], "outs": ["a.txt"]}})
    repository.write("in", "1\n")
    other = repository.copy(tmp_path / "other")
    for here, machine in ((repository, "one"), (other, "two")):
        here.environment["MACHINE"] = machine
        here.dvc_here("repro")
    repository.write("dvc.lock", (other.root / "dvc.lock").read_text())
    (repository.root / "a.txt").unlink()
    repository.provenn("repro")
    assert (repository.root / "a.txt").read_text() == "one\n"
    assert (tmp_path / "ran").read_text() == "ran\nran\n"
