"""The process between this program and one that it starts: whichever goes, nothing that was started is left.

    python -m provenn.supervisor [--spare] COMMAND

So `provenn repro` runs a stage's DVC and `provenn ui` MLflow's server. Whoever started it holds the other end of
standard input. A byte there ends the command, and `KILL` at once; however that process goes, by kill -9 too, the system
closes it, which ends the command as well. What runs in the background stays when the command succeeds. It starts fast:
the standard library alone until there is something to end.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import psutil

MARK = "PROVENN_MARK"  # in the environment of all that a command starts, were it in a session of its own
STOP, KILL = b"s", b"k"
GRACE_SECONDS = 5.0
_KILL_SECONDS = 10.0  # a process that waits for a broken disk cannot be killed
_TICK_SECONDS = 0.05
_INPUT = 0


class Process(Protocol):
    """A process that was started, of `subprocess` or forked."""

    pid: int

    def poll(self) -> int | None:
        """Return its exit code, -n after signal n; None while it runs."""

    def wait(self) -> int:
        """Wait for its end; return its exit code."""


def supervise(start: Callable[[], Process], *, spare: bool) -> int:
    """Run what `start` starts to its end, or until it is to be ended; return its exit code, 128 + n after signal n.

    With `spare` only what it has started is asked to end, as with DVC: it then sees its own command fail, or finishes
    saving what that had made, and so leaves its lock files whole.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: None)
    process = start()
    asked = False
    while not asked and process.poll() is None:
        ready = select.select([_INPUT, woken], [], [])[0]
        signals = os.read(woken, 64) if woken in ready else b""
        asked = _INPUT in ready or any(number != signal.SIGCHLD for number in signals)
    if process.poll() != 0:
        end(lambda: find(os.environ[MARK], os.getsid(0)), process.pid if spare else 0, _hurry)
    code = process.wait()
    return code if code >= 0 else 128 - code


def end(find: "Callable[[], set[psutil.Process]]", spared: int = 0, hurry: Callable[[], bool] = lambda: False) -> None:
    """End the processes that `find` returns until there are none: by SIGTERM, after 5 s or on `hurry()` by SIGKILL.

    The process `spared` gets no SIGTERM.
    """
    known: set[psutil.Process] = set()
    deadline = time.monotonic() + GRACE_SECONDS
    while (left := find()) and time.monotonic() < deadline and not hurry():
        for process in left - known:  # DVC may only now be starting its command
            if process.pid != spared:
                _signal(process, signal.SIGTERM)
        known |= left
        time.sleep(_TICK_SECONDS)
    deadline = time.monotonic() + _KILL_SECONDS
    while (left := find() | {process for process in known if _lives(process)}) and time.monotonic() < deadline:
        known |= left  # once its parent is dead, what has left its session might not be found again
        for process in left:
            _signal(process, signal.SIGKILL)
        time.sleep(_TICK_SECONDS)


def find(mark: str, session: int = -1) -> "set[psutil.Process]":
    """Return what runs with a `MARK` that begins so or in a session, and what that has started; not this process."""
    import psutil

    parents: dict[psutil.Process, int] = {}
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and _lives(process):
                parents[process] = process.ppid()
                if _session(process.pid) == session or process.environ().get(MARK, "").startswith(mark):
                    found.add(process)
    more = found
    while more:
        numbers = {process.pid for process in more}
        more = {process for process, parent in parents.items() if parent in numbers} - found
        found |= more
    return found


def _hurry() -> bool:
    return bool(select.select([_INPUT], [], [], 0)[0]) and KILL in os.read(_INPUT, 64)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _signal(process: "psutil.Process", number: signal.Signals) -> None:
    import psutil

    with suppress(psutil.Error):
        process.send_signal(number)


def _lives(process: "psutil.Process") -> bool:
    import psutil

    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


if __name__ == "__main__":
    spare = sys.argv[1] == "--spare"
    sys.exit(supervise(lambda: subprocess.Popen(sys.argv[1 + spare :], stdin=subprocess.DEVNULL), spare=spare))
