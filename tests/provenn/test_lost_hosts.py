"""Runs whose writer is gone are ended by the next sync, with the reason; those that may still be written are left."""

import socket
import subprocess
import time

import pytest
from repository import Repository

from provenn.view.run import PARENT, PROCESS, STAGE
from provenn.view.runs import LOST_HOURS
from provenn.view.sync import synchronise

HERE = socket.gethostname()
HOUR = 3_600_000
LONG = (LOST_HOURS + 1) * HOUR


@pytest.fixture
def shown(repository: Repository) -> Repository:
    """A repository with a result that is shown."""
    repository.define({"a": {"cmd": "echo 1 > a.txt", "outs": ["a.txt"]}})
    repository.show()
    return repository


def running(shown: Repository, process: str | None, began: float, heard: float | None = None, **tags: str) -> str:
    """Open a run that a process began, and was last heard of, so many ms ago; return its id."""
    client, now = shown.client(), time.time() * 1000
    named = tags | ({PROCESS: process} if process else {})
    run = client.create_run(shown.run_of("a").info.experiment_id, int(now - began), named)
    if heard is not None:
        client.log_metric(run.info.run_id, "train/loss", 1.0, int(now - heard), 1)
    return str(run.info.run_id)


@pytest.mark.fault(
    "A writer of this host was killed, and its run says RUNNING",
    "the next `sync` or `repro` marks it KILLED, with the reason",
)
def test_a_process_of_this_host_that_is_gone(shown):
    process = subprocess.Popen(["sleep", "60"])
    lives = running(shown, f"{HERE} {process.pid}", began=0)
    assert synchronise(shown.root).killed == []
    process.kill()
    process.wait()
    assert synchronise(shown.root).killed == [lives]
    run = shown.client().get_run(lives)
    assert run.info.status == "KILLED"
    assert run.data.tags["failure"] == f"process {process.pid} ended without closing its run: it was killed"


@pytest.mark.fault(
    "A host is lost, and its runs say RUNNING",
    "after 24 hours without a new number `sync` marks them KILLED, with the reason",
)
def test_another_host_that_was_not_heard_of_for_long(shown):
    lost = running(shown, "elsewhere 7", began=2 * LONG, heard=LONG, **{STAGE: "a"})
    silent = running(shown, "elsewhere 8", began=LONG, **{STAGE: "a"})
    assert sorted(synchronise(shown.root).killed) == sorted([lost, silent])
    run = shown.client().get_run(lost)
    assert run.info.status == "KILLED"
    assert run.data.tags["failure"] == "nothing was heard of process 7 on elsewhere for 25 hours: the host was lost"
    assert synchronise(shown.root).killed == []


def test_another_host_that_may_still_work_and_runs_of_others_are_left_running(shown):
    running(shown, "elsewhere 7", began=2 * LONG, heard=HOUR)
    running(shown, "elsewhere 8", began=HOUR)
    running(shown, None, began=2 * LONG)
    assert synchronise(shown.root).killed == []


def test_a_pipeline_of_another_host_lives_as_long_as_its_stages(shown):
    pipeline = running(shown, "elsewhere 7", began=2 * LONG)
    running(shown, "elsewhere 9", began=LONG, heard=HOUR, **{STAGE: "a", PARENT: pipeline})
    assert synchronise(shown.root).killed == []


def test_the_next_repro_ends_them_too(shown):
    lost = running(shown, "elsewhere 7", began=LONG)
    shown.define({"a": {"cmd": "echo 2 > a.txt", "outs": ["a.txt"]}})
    shown.provenn("repro")
    assert shown.client().get_run(lost).info.status == "KILLED"
