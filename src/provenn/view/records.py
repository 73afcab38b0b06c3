"""Reading records: what a stage has told so far, and the record of a result that was made some time ago."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenn.entry import Entry
from provenn.record import FOLDER, WRITER_SECONDS
from provenn.view.contents import Point

KEPT = FOLDER / "kept"  # the records of results, below the repository's root


@dataclass
class Told:
    """What is known of one run of a stage besides its files: when, by whom, how it ended, its numbers and tags."""

    started: int | None = None
    ended: int | None = None
    status: str = "FINISHED"
    reason: str = ""
    process: str = ""
    folder: str = ""
    caller: str = ""
    stage: str = ""
    values: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    patch: str | None = None


class Follower:
    """Follows a record while it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told = Told(status="RUNNING")
        self._read = 0

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows that were appended since the last call, whole lines alone."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except OSError:
            return []
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        return [row for line in whole.splitlines() if (row := _row(line))]

    def follow(self) -> None:
        """Take in what is new."""
        for row in self.rows():
            _take(self.told, row)


def read_record(path: Path) -> Told:
    """Return what a record says."""
    follower = Follower(path)
    follower.follow()
    return follower.told


def find_record(root: Path, entry: Entry) -> Told | None:
    """Return the record of the run that made this entry's outputs, if this clone has it."""
    path = _kept(root, entry)
    return read_record(path) if path.is_file() else None


def keep_record(root: Path, path: Path, entry: Entry) -> None:
    """Keep a record under the key and the result of the stage that it is about; the newest stays."""
    target = _kept(root, entry)
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)


def record_name(key: str, result: str) -> str:
    """Return the name of the file in KEPT that is the record of a result."""
    return f"{key[:32]}-{result[:32]}.jsonl"


def wait_for_writers(root: Path) -> None:
    """Wait until the runs of stages that have ended are written: their records are put away then.

    At most a minute after a stage's end: a writer that was killed leaves its record lying.
    """
    for path in (root / FOLDER).glob("*.jsonl"):
        told = read_record(path)
        while told.stage and told.ended and now() - told.ended < WRITER_SECONDS * 1000 and path.exists():
            time.sleep(0.1)


def now() -> int:
    """Return the time in ms since 1970."""
    return int(time.time() * 1000)


def process_is_dead(name: str, since: int) -> bool:
    """Return whether the process that a record names has ended; False when it is of another host.

    A number is given to another process later: one that began after `since` (ms since 1970) is not the one meant.
    """
    import socket

    import psutil

    host, _, number = name.partition(" ")
    if host != socket.gethostname() or not number.isdigit():
        return False
    try:
        process = psutil.Process(int(number))
        return bool(process.status() == psutil.STATUS_ZOMBIE or process.create_time() * 1000 > since + 5000)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _kept(root: Path, entry: Entry) -> Path:
    return root / KEPT / record_name(entry.key, entry.result)


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _take(told: Told, row: Mapping[str, Any]) -> None:
    at = int(row.get("at") or now())
    if told.started is None:
        told.started = at
    if "stage" in row:
        told.stage, told.folder, told.process = row["stage"], row.get("folder", ""), row.get("process", "")
    if "values" in row and "step" in row:
        told.points += [Point(name, value, row["step"], at) for name, value in row["values"].items()]
    elif "values" in row:
        told.values |= row["values"]
    told.tags |= row.get("tags", {})
    told.patch = row.get("patch", told.patch)
    told.caller = row.get("caller", told.caller)
    if "ended" in row:
        told.status, told.reason, told.ended = row["ended"], row.get("reason", ""), at
