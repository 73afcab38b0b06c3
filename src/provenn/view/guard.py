"""A process that runs a command and ends it with all that it started once standard input closes: `python -m … COMMAND`.

Whoever started it holds the other end: however that process goes, by kill -9 too, the system closes it.
"""

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress

import psutil

GRACE_SECONDS = 5.0
_TICK_SECONDS = 0.2


def guard(command: list[str]) -> int:
    """Run the command until it ends or standard input closes; return its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # its end is that of whoever holds standard input
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_heed_signals)
    while server.poll() is None and not select.select([sys.stdin], [], [], _TICK_SECONDS)[0]:
        pass
    end_session(os.getpid())
    return server.wait()


def end_session(session: int) -> None:
    """End the processes of a session but for its first one, and what they started: by SIGTERM, after 5 s by SIGKILL."""
    members = _members(session)
    for process in members:
        with suppress(psutil.Error):
            process.terminate()
    psutil.wait_procs(members, timeout=GRACE_SECONDS)
    for process in {*members, *_members(session)}:
        with suppress(psutil.Error):
            process.kill()


def _members(session: int) -> list[psutil.Process]:
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            if process.pid != session and os.getsid(process.pid) == session:
                found |= {process, *process.children(recursive=True)}
    return list(found)


def _heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1:]))
