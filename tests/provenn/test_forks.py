"""A stage's DVC as a fork of `provenn repro`: what the system shows of it, and that it says what DVC says."""

import os
from pathlib import Path

import pytest
from kills import at_work, kind
from repository import Repository
from sleeping import prepare, stage, wait_for_start

from provenn.supervisor import MARK

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="forks need Linux")]

STARTED = """
import sys
if sys.orig_argv[1:3] == ["-m", "provenn"]:
    import provenn.repro.forks
    provenn.repro.forks.can_fork = lambda plan, name: False
"""


def test_the_system_shows_a_fork_as_the_process_that_it_is(sleeping):
    sleeping.define({"a": stage("a", 600)})
    runner = sleeping.start("provenn", "repro")
    wait_for_start(sleeping, "a")
    found = {kind(process): process for process in at_work(sleeping)}
    dvc, supervisor = found["dvc"], found["supervisor"]
    assert [dvc.ppid(), supervisor.ppid()] == [supervisor.pid, runner.pid]
    assert os.getsid(dvc.pid) == supervisor.pid
    assert [word for word in dvc.cmdline() if word][:3] == ["-m", "dvc", "repro"], "it was started, not forked"
    assert dvc.environ()[MARK] == supervisor.environ()[MARK]
    assert dvc.environ()[MARK].endswith("//a//")
    log = str(sleeping.root / ".dvc/tmp/provenn/logs/a.log")
    streams = [str(Path(f"/proc/{dvc.pid}/fd/{number}").readlink()) for number in range(3)]
    assert streams == ["/dev/null", log, log]
    runner.terminate()
    runner.communicate(timeout=120)


def logs(repository: Repository) -> dict[str, str]:
    found = (repository.root / ".dvc/tmp/provenn/logs").iterdir()
    return {path.name: path.read_text().replace(str(repository.root), "") for path in found}


def test_the_log_of_a_fork_is_that_of_a_process(sleeping, tmp_path):
    started = prepare(Repository.make(tmp_path / "started"))
    started.write("src/sitecustomize.py", STARTED)
    said = []
    for repository in (sleeping, started):
        bad = stage("bad") | {"cmd": "echo the disk is on fire && exit 3"}
        quiet = {"cmd": "echo é > quiet.txt", "outs": [{"quiet.txt": {"cache": False}}]}
        lost = {"cmd": "true", "outs": ["lost.txt"]}
        repository.define({"a": stage("a"), "bad": bad, "quiet": quiet, "lost": lost, "none": stage("none", 0, ("x",))})
        repository.provenn("repro", "-j", "1", code=1)  # which of two is the first to write dvc.lock stands in its log
        said.append(logs(repository))
        (repository.root / "a.txt").unlink()
        repository.provenn("repro", "a")
        said[-1]["restored"] = logs(repository)["a.log"]
    assert said[0] == said[1]
    assert "is cached - skipping run" in said[0]["restored"]
    assert "exited with 3" in said[0]["bad.log"]
