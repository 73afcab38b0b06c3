"""Kills: nothing that a stage started is left, whoever is killed, and one more repro ends as if nothing had been."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
from kills import at_work, kill, kind, wait_until_gone
from repository import Repository, once
from sleeping import prepare, stage, wait_for_start

pytestmark = pytest.mark.slow

LONG = {"a": stage("a", 600), "b": stage("b", 0, ("a.txt",)), "c": stage("c", 600)}
SHORT = {"a": stage("a"), "b": stage("b", 0, ("a.txt",)), "c": stage("c")}


@pytest.fixture
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The dvc.lock of a run of the short stages that nobody disturbs."""

    def make(root: Path) -> None:
        repository = prepare(Repository.make(root))
        repository.define(SHORT)
        repository.dvc_here("repro")

    return (once(tmp_path_factory, "not_killed", make) / "dvc.lock").read_bytes()


def start(sleeping: Repository) -> "subprocess.Popen[str]":
    sleeping.define(LONG)
    runner = sleeping.start("provenn", "repro", "-j", "2")
    wait_for_start(sleeping, "a", "c")
    return runner


@pytest.mark.parametrize(
    "victims",
    [
        pytest.param(victims, id="+".join(victims), marks=pytest.mark.fault(words, then))
        for victims, words, then in [
            (
                ["runner"],
                "kill -9 of `provenn repro`",
                "its stages end within seconds; the next repro has the same dvc.lock",
            ),
            (["dvc"], "kill -9 of the DVC of a stage", "the training ends within seconds, and the stage failed"),
            (["training"], "kill -9 of a training", "the stage failed, and the next repro runs it again"),
            (["supervisor"], "kill -9 of a stage's supervisor", "its stage ends within seconds, and failed"),
            (["runner", "dvc"], "kill -9 of `provenn repro` and DVC at once", "the trainings end within seconds"),
            (["supervisor", "dvc"], "kill -9 of the supervisor and DVC at once", "the trainings end within seconds"),
        ]
    ],
)
def test_whoever_is_killed_nothing_is_left_and_the_next_repro_is_as_if_nothing_had_been(sleeping, undisturbed, victims):
    runner = start(sleeping)
    kill(sleeping, *victims)
    runner.communicate(timeout=120)
    wait_until_gone(sleeping)
    sleeping.define(SHORT)
    sleeping.provenn("repro")
    assert (sleeping.root / "dvc.lock").read_bytes() == undisturbed
    assert {run.info.status for run in sleeping.runs()} <= {"FINISHED", "KILLED", "FAILED"}


@pytest.mark.fault("`provenn repro` and all supervisors are killed at once", "the next repro ends what is left first")
def test_what_nobody_could_end_is_ended_by_the_next_repro(sleeping, undisturbed):
    runner = start(sleeping)
    kill(sleeping, "runner", "supervisor")
    runner.communicate(timeout=120)
    time.sleep(1)
    assert {"dvc", "training"} <= {kind(process) for process in at_work(sleeping)}
    sleeping.define(SHORT)
    assert "what a killed `provenn repro` had left running is ended." in sleeping.provenn("repro").stdout
    wait_until_gone(sleeping)
    assert (sleeping.root / "dvc.lock").read_bytes() == undisturbed


@pytest.mark.fault("`provenn repro` is killed while a stage has a process in a session of its own", "that one ends too")
@pytest.mark.parametrize("victim", ["runner", "dvc"])
def test_a_process_that_left_its_session_its_parent_and_ignores_signals_is_ended(sleeping, victim):
    sleeping.write(
        "daemon.py",
        "import os, signal, sys\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork():\n"
        "        os._exit(0)\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "exec(open('work.py').read())\n",
    )
    sleeping.define({"a": stage("a", 600) | {"cmd": "python daemon.py a 600 a.txt"}})
    runner = sleeping.start("provenn", "repro")
    deadline = time.monotonic() + 120
    while [kind(process) for process in at_work(sleeping)].count("training") < 3:  # the shell, and two of Python
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)
    kill(sleeping, victim)
    runner.communicate(timeout=120)
    wait_until_gone(sleeping)


def test_what_a_stage_that_succeeds_leaves_in_the_background_stays(sleeping):
    sleeping.define({"a": {"cmd": "sleep 600 > left.log 2>&1 & echo 1 > a.txt", "outs": ["a.txt"]}})
    sleeping.provenn("repro")
    sleeping.define({"a": {"cmd": "echo 2 > a.txt", "outs": ["a.txt"]}})
    sleeping.provenn("repro")
    (left,) = at_work(sleeping)
    assert left.cmdline() == ["sleep", "600"]
    left.kill()


@pytest.mark.fault("DVC is asked to end (SIGTERM) while a stage runs", "its training ends too, and the stage failed")
def test_a_dvc_that_is_asked_to_end_takes_its_command_along(sleeping):
    runner = start(sleeping)
    for process in at_work(sleeping):
        if kind(process) == "dvc":
            process.send_signal(signal.SIGTERM)
    output, _ = runner.communicate(timeout=120)
    assert "2 failed" in output
    wait_until_gone(sleeping)


@pytest.mark.fault(
    "`provenn repro` is killed when a later stage has ended before an earlier one",
    "dvc.lock has the order of a serial run",
)
def test_a_killed_run_does_not_decide_the_order_of_the_lock(sleeping, undisturbed):
    sleeping.define(LONG | {"c": stage("c")})
    runner = sleeping.start("provenn", "repro", "-j", "2")
    deadline = time.monotonic() + 120
    while not (sleeping.root / "dvc.lock").is_file() or "  c:" not in (sleeping.root / "dvc.lock").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    runner.kill()
    runner.communicate(timeout=120)
    wait_until_gone(sleeping)
    sleeping.define(SHORT)
    sleeping.provenn("repro")
    assert (sleeping.root / "dvc.lock").read_bytes() == undisturbed
