"""The processes of a pipeline run in a test's repository, found whoever their parents are, and kills among them."""

import os
import time
from contextlib import suppress

import psutil
from repository import Repository

PARTS = {
    "provenn.supervisor": "supervisor",
    "provenn.view": "writer",
    "-m provenn ": "runner",
    "-m dvc": "dvc",
}


def at_work(repository: Repository) -> list[psutil.Process]:
    """Return what runs in a repository, wherever its parent is: it has the variable of the notes."""
    found = []
    for process in psutil.process_iter():
        try:
            own = process.environ().get("NOTES") == repository.environment["NOTES"]
            if own and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def kind(process: psutil.Process) -> str:
    """Return what a process of a pipeline run is: the runner, its writer, a stage's supervisor, its DVC, its work."""
    try:
        arguments = " ".join(process.cmdline())
    except psutil.Error:
        return "gone"
    return next((name for part, name in PARTS.items() if part in arguments), "training")


def wait_until_gone(repository: Repository) -> None:
    """Wait until nothing runs in a repository; fail after a minute."""
    deadline = time.monotonic() + 60
    while left := at_work(repository):
        assert time.monotonic() < deadline, [process.cmdline() for process in left]
        time.sleep(0.1)


def kill(repository: Repository, *kinds: str) -> None:
    """Kill all processes of some kinds."""
    # All are found before the first is killed: with a DVC its training ends, and is a zombie by the time of its turn.
    for process in [process for process in at_work(repository) if kind(process) in kinds]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
