"""What a `provenn repro` that was killed, or failed, has left: processes, lock files, files that were being written."""

import json
import os
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from provenn.files import write_json, written_for
from provenn.repository import git
from provenn.repro.dvc_locks import put_back, repository_locked
from provenn.repro.plan import is_step, lock_of
from provenn.supervisor import GRACE_SECONDS, end, find

FILE = Path(".dvc/tmp/provenn/unfinished.json")  # below the repository's root
OLD_SECONDS = 3600.0  # other commands of ours may be writing below .dvc/tmp/provenn


@dataclass(frozen=True)
class Unfinished:
    """A run whose stages are not all up to date: its lock files as they were before, None for one that was not there.

    What it starts is marked with `run`, which is empty once it has ended in order.
    """

    run: str
    locks: Mapping[str, str | None]

    def write(self, root: Path) -> None:
        """Note that stages are about to run; a disk that is full costs the note, not the run."""
        with suppress(OSError):
            write_json(root / FILE, asdict(self))

    def settle(self, root: Path, complete: bool) -> None:
        """Note that the run has ended in order; unless it is complete, the next one goes on with it."""
        if complete:
            (root / FILE).unlink(missing_ok=True)
        else:
            Unfinished("", self.locks).write(root)


def heal_killed(repo: Any) -> tuple[Unfinished, list[str]]:
    """End what a killed run has left running, and put back each lock file that was cut as DVC wrote it.

    Returns the last run that is unfinished, without the lock files that are as git has them, and a line for each thing
    that was done.
    """
    root = Path(repo.root_dir)
    told: list[str] = []
    last = _read(root)
    if not last.run:
        return last, told
    if _end_processes(last.run):
        told.append("what a killed `provenn repro` had left running is ended.")
    with repository_locked(repo):
        names = [name for name, before in last.locks.items() if put_back(root / name, before)]
    return last, told + [f"{name} was cut when DVC was killed: it is as it was before that run." for name in names]


def remove_temporary_files(repo: Any, stages: Collection[Any]) -> list[str]:
    """Remove what killed processes left of files that they were writing: locks, and beside and below outputs.

    Nothing is removed there while a `dvc repro` of someone else runs. Returns a line for each.
    """
    root = Path(repo.root_dir)
    since = time.time() - OLD_SECONDS
    found = {file for file in _temporary(root / FILE.parent) if file.stat().st_mtime < since}
    if not _others_write(repo):
        beside: dict[Path, set[str]] = {}
        locks = [lock_of(stage) for stage in stages if is_step(stage)]
        outs = [Path(out.fs_path) for stage in stages for out in stage.outs if out.protocol == "local"]
        for path in locks + outs:
            beside.setdefault(path.parent, set()).add(path.name)
            if path.is_dir():
                found |= {file for below, _, _ in os.walk(path) for file in _temporary(Path(below))}
        for folder, names in beside.items():
            found |= {file for file in _temporary(folder) if written_for(file.name) in names}
    for file in found:
        file.unlink(missing_ok=True)
    removed = sorted(os.path.relpath(file, root) for file in found)
    return [f"{name}, which a killed process had not finished writing, is removed." for name in removed]


def _temporary(folder: Path) -> set[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        return {Path(entry.path) for entry in entries if written_for(entry.name)}
    return set()


def _others_write(repo: Any) -> bool:
    with suppress(OSError, ValueError):
        return bool(json.loads((Path(repo.tmp_dir) / "rwlock").read_bytes()).get("write"))
    return False


def _read(root: Path) -> Unfinished:
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        content = json.loads((root / FILE).read_bytes())
        locks = {name: before for name, before in content["locks"].items() if not _is_committed(root, name)}
        return Unfinished(str(content["run"]), locks)
    return Unfinished("", {})


def _end_processes(run: str) -> bool:
    """End the processes of a killed run, once its supervisors have had time to; return whether there were any."""
    deadline = time.monotonic() + 2 * GRACE_SECONDS
    if not find(run):
        return False
    while find(run) and time.monotonic() < deadline:
        time.sleep(0.1)
    end(lambda: find(run))
    return True


def _is_committed(root: Path, name: str) -> bool:
    text = git("show", f"HEAD:./{name}", root=root)
    path = root / name
    return text is not None and path.is_file() and text.encode("utf-8", "surrogateescape") == path.read_bytes()
