"""Edits that kept a file's size and time, which DVC does not see: it looks at nothing else, and the inode."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from provenn.files import write_bytes
from provenn.repro.plan import Plan

FILE = Path(".dvc/tmp/provenn/times.json")  # below the repository's root: path to [time of change, of modification]
_LATER = 10**9  # ns


def forget_unseen_edits(plan: Plan) -> None:
    """Make DVC hash those files of the stages again that may have been edited since it did, however that was hidden.

    Nobody can set the time of the last change (ctime). It is not what it was at the last run; or, of a file that is new
    or has another modification time, it is not about that time. DVC compares the hash: equal content reruns nothing.
    """
    root = Path(plan.repo.root_dir)
    known: dict[str, list[int]] = {}
    with suppress(OSError, ValueError):
        known = json.loads((root / FILE).read_bytes())
    times = {path: [status.st_ctime_ns, status.st_mtime_ns] for path, status in _files(plan)}
    hashes = plan.repo.state.hashes
    suspected = [path for path, now in times.items() if _may_be_edited(now, known.get(path))]
    if suspected:
        with hashes.transact():
            for path in suspected:
                hashes.delete(path)
    if known | times != known:
        with suppress(OSError):  # a full disk
            write_bytes(root / FILE, json.dumps(known | times).encode())


def _may_be_edited(now: list[int], before: list[int] | None) -> bool:
    if before and before[1] == now[1]:
        return before[0] != now[0]
    return abs(now[0] - now[1]) > _LATER


def _files(plan: Plan) -> Iterator[tuple[str, os.stat_result]]:
    stages = plan.stages.values()
    paths = {item.fs_path for stage in stages for item in [*stage.deps, *stage.outs] if item.protocol == "local"}
    for path in paths:
        with suppress(OSError):
            status = Path(path).stat()
            if stat.S_ISDIR(status.st_mode):
                yield from _files_below(path)
            else:
                yield path, status


def _files_below(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(entry.path)
            else:
                with suppress(OSError):  # a link to nothing
                    yield entry.path, entry.stat()
