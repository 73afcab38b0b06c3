"""Stages that sleep and write a line, and note when they start and stop."""

import time
from typing import Any

from repository import Repository

from provenn.repro.processes import Outcome, StageProcess

WORK = """
import os, pathlib, sys, time
name, seconds, *paths = sys.argv[1:]
notes = pathlib.Path(os.environ["NOTES"])
def note(what):
    with notes.open("a") as file:
        file.write(f"{what} {name} {time.monotonic()} {os.getpid()}\\n")
note("start")
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    print("at work", name, flush=True)
    time.sleep(0.05)
for path in paths:
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_text(f"{path} of {name}\\n")
note("stop")
"""


def stage(name: str, seconds: float = 0, needs: tuple[str, ...] = (), outs: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a stage of dvc.yaml that sleeps, then writes `outs`, `<name>.txt` by default."""
    outs = outs or (f"{name}.txt",)
    command = f"python work.py {name} {seconds} {' '.join(outs)}"
    return {"cmd": command, "deps": ["work.py", *needs], "outs": list(outs)}


class Watcher:
    """A view that keeps what it was told."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.notes: list[str] = []

    def started(self, process: StageProcess) -> None: ...

    def finished(self, name: str, outcome: Outcome, seconds: float) -> None:
        self.outcomes[name] = outcome

    def note(self, text: str) -> None:
        self.notes.append(text)


def prepare(repository: Repository) -> Repository:
    """Make a repository one of sleeping stages."""
    # As in a real repository; else DVC adds each output in the order in which the stages finish.
    repository.write(".gitignore", "*.txt\n/mlruns\n")
    repository.write("work.py", WORK)
    repository.environment["NOTES"] = str(repository.root.parent / f"{repository.root.name}.notes")
    return repository


def noted(repository: Repository) -> list[tuple[str, str, float, int]]:
    """Return (start or stop, stage, time, process) as they were noted."""
    from pathlib import Path

    notes = Path(repository.environment["NOTES"])
    lines = (line.split() for line in notes.read_text().splitlines()) if notes.exists() else ()
    return [(what, name, float(at), int(process)) for what, name, at, process in lines]


def spans(repository: Repository) -> dict[str, tuple[float, float]]:
    """Return when each stage started and stopped."""
    times = {(what, name): at for what, name, at, _ in noted(repository)}
    return {name: (times["start", name], times["stop", name]) for what, name in times if what == "stop"}


def wait_for_start(repository: Repository, *names: str) -> dict[str, int]:
    """Wait until the stages run; return their processes."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        started = {name: process for what, name, _, process in noted(repository) if what == "start"}
        if set(names) <= set(started):
            return started
        time.sleep(0.02)
    raise AssertionError(f"{names} did not start")
