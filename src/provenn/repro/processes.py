"""A stage's `dvc repro --single-item` process: started apart from the terminal, ended with all that it started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil

from provenn.repro.disk import NOT_KEPT

Outcome = Literal["ran", "restored", "unchanged", "failed", "skipped", "stopped"]

GRACE_SECONDS = 5.0
_TAIL_BYTES = 8192


class StageProcess:
    """The process that brings one stage up to date, its output going to `log`."""

    def __init__(self, name: str, log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        self.started = time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        # -P: a folder of the repository, such as data/, must not be taken for a package of DVC's.
        # --wait-for-lock: two stages that end together queue for dvc.lock instead of losing one's result after 3 s.
        command = [sys.executable, "-P", "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name]
        with log.open("wb") as output:
            # A session of its own: Ctrl-C in the terminal reaches the runner alone, which ends the stage in order.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"} | dict(environment),
                start_new_session=True,
            )

    @property
    def seconds(self) -> float:
        """Seconds since the process was started."""
        return time.monotonic() - self.started

    @property
    def exit_code(self) -> int | None:
        """DVC's exit code, which is 0 even where its cache could not take an output; None while it runs."""
        return self._process.poll()

    @property
    def outcome(self) -> Outcome | None:
        """What became of the stage, from DVC's own words; None while the process runs."""
        code = self._process.poll()
        if code is None:
            return None
        if code != 0:
            return "failed"
        output = self.log.read_text(errors="replace")
        if NOT_KEPT in output:
            return "failed"
        if f"Stage '{self.name}' is cached - skipping run" in output:
            return "restored"
        return "unchanged" if f"Stage '{self.name}' didn't change, skipping" in output else "ran"

    @property
    def busy(self) -> bool:
        """Tell whether DVC refused to begin because another process holds files of this stage."""
        output = self.log.read_text(errors="replace")
        refused = "is busy, it is being blocked by" in output or "Unable to acquire lock" in output
        return refused and f"Running stage '{self.name}'" not in output

    def last_line(self) -> str:
        """Return the last line of the stage's output, or the last state of a progress bar."""
        with self.log.open("rb") as output:
            output.seek(max(0, output.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = output.read().decode(errors="replace").replace("\r", "\n").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _members(self) -> list[psutil.Process]:
        """Return the processes that DVC started for this stage: its descendants, and orphans of its session."""
        found: set[psutil.Process] = set()
        with suppress(psutil.Error):
            found.update(psutil.Process(self._process.pid).children(recursive=True))
        for pid in psutil.pids():
            with suppress(OSError, psutil.Error):
                if os.getsid(pid) == self._process.pid and pid != self._process.pid:
                    found.add(psutil.Process(pid))
        return [process for process in found if _running(process)]


def stop(stages: Sequence[StageProcess], hurry: Callable[[], bool] = lambda: False) -> bool:
    """End stages and everything that they started; return whether anything had to be killed.

    What a stage runs gets SIGTERM. DVC itself does not: it sees its command fail, or finishes saving what the command
    had made, and so leaves its lock files whole. Whoever is left after 5 s, or as soon as `hurry()`, is killed.
    """
    deadline = time.monotonic() + GRACE_SECONDS
    told: set[psutil.Process] = set()
    while True:
        members = _members(stages)
        if not members and all(stage.outcome for stage in stages):
            return False
        if hurry() or time.monotonic() > deadline:
            break
        for process in members - told:  # DVC may only now be starting its command
            _signal(process, signal.SIGTERM)
        told |= members
        time.sleep(0.05)
    # Known from before: once DVC is dead, what has left its session can no longer be found.
    known = told | members
    for stage in stages:
        stage._process.kill()
        stage._process.wait()
    for _ in range(10):  # more than once: a process may have been starting another
        left = {process for process in known if _running(process)} | _members(stages)
        for process in left:
            _signal(process, signal.SIGKILL)
        psutil.wait_procs(left, timeout=1)
    return True


def _members(stages: Sequence[StageProcess]) -> set[psutil.Process]:
    return {process for stage in stages for process in stage._members()}


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.Error):
        process.send_signal(number)


def _running(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
