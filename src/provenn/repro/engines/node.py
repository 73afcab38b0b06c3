"""A job on a node: a place of its own, the process that does it, and its result. Plain text in, plain text out.

    python -m provenn.repro.engines.node < job.json > result.json

Engines call `run_job` with nothing but that text, so that nothing is unpickled. A node's files are in the folder that
the environment variable PROVENN_NODE names, `~/.cache/provenn/node` by default: a cache of DVC's, and for each
repository one copy of the working folder for each job at once. A file `config.local` there is DVC's local settings on
this node: credentials, another address of a remote, links instead of copies.
"""

import fcntl
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from provenn.supervisor import MARK, STOP, end, find

NODE = "PROVENN_NODE"
TRANSPORT_FAILED = 75  # how a stage's process exits when files could not be brought or sent: try again
LOG_BYTES = 1_000_000  # of a longer log the end comes back
RUNNING: dict[str, "subprocess.Popen[bytes]"] = {}  # the jobs of this process, by key
STOPPED: set[str] = set()  # those whose end was asked for, maybe before they had a process


class NodeError(RuntimeError):
    """A job failed for a reason that is not the stage's: the engine tries again."""


def run_job(text: str) -> str:
    """Do the job that a text describes; return the result's text. Raises NodeError where trying again may help."""
    job = json.loads(text)
    STOPPED.discard(job["key"])
    base = Path(job["node"] or os.environ.get(NODE) or Path.home() / ".cache/provenn/node").expanduser().resolve()
    began, clock = time.monotonic(), time.time()
    with _place(base / "work" / job["repository"]) as (place, lock):
        for name in ("result.json", "record.jsonl"):
            (place / name).unlink(missing_ok=True)
        (place / "job.json").write_text(text, encoding="utf-8")
        python = [sys.executable, "-P", "-m"]
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *python,
                    "provenn.supervisor",
                    "--spare",
                    *python,
                    "provenn.repro.engines.stage",
                    str(place),
                    str(base),
                ],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_inherited() | {"PYTHONUNBUFFERED": "1", MARK: f"{place}//"},
                pass_fds=[lock.fileno()],  # the place stays taken as long as the supervisor lives
                start_new_session=True,
            )
        RUNNING[job["key"]] = process
        if job["key"] in STOPPED:
            stop_job(job["key"])
        try:
            code = process.wait()
        finally:
            del RUNNING[job["key"]]
            assert process.stdin
            process.stdin.close()
        said = _end_of(place / "log")
        if code == TRANSPORT_FAILED:
            raise NodeError(f"{socket.gethostname()}: {' '.join(said.split()[-60:])}")
        result: dict[str, Any] = {"outcome": "failed"}
        with suppress(OSError):
            result = json.loads((place / "result.json").read_bytes())
        record = place / "record.jsonl"
        told = record.read_text(encoding="utf-8") if record.is_file() else ""
        seconds = time.monotonic() - began
        times = {"sent": job["sent"], "began": clock, "seconds": seconds}
        return json.dumps({**result, **times, "log": said, "record": told, "host": socket.gethostname()})


def stop_job(key: str) -> None:
    """Ask for the end of a job, if it is one of this process, or becomes one in the next moment."""
    STOPPED.add(key)
    process = RUNNING.get(key)
    if process and process.stdin:
        with suppress(OSError, ValueError):
            process.stdin.write(STOP)


@contextmanager
def _place(folder: Path) -> Iterator[tuple[Path, IO[str]]]:
    """Yield a place below a folder that no other job uses, and its lock; what a killed one has left there is ended."""
    for number in itertools.count():
        place = folder / str(number)
        place.mkdir(parents=True, exist_ok=True)
        with (place / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            mark = f"{place}//"
            end(lambda: find(mark))  # noqa: B023
            yield place, lock
            return


def _inherited() -> dict[str, str]:
    """Return the worker's environment without what lets one into the cluster, which is no stage's business."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}


def _end_of(log: Path) -> str:
    with log.open("rb") as content:
        size = content.seek(0, os.SEEK_END)
        content.seek(max(0, size - LOG_BYTES))
        return content.read().decode(errors="replace")


if __name__ == "__main__":
    print(run_job(sys.stdin.read()))
