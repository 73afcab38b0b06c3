"""A full or read-only disk, told from a stage's log: which one it is, what was not kept, and what to do."""

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from provenn.files import UserError, write_bytes
from provenn.repro.dvc_locks import PATIENCE_SECONDS, repository_locked
from provenn.repro.plan import lock_of

NOT_KEPT = (
    "ERROR: failed to transfer '"  # DVC says so of a file that its cache could not take, and may still exit with 0
)
_FULL = re.compile(r"No space left on device|Disk quota exceeded|File too large|database or disk is full")
_READ_ONLY = re.compile(r"Read-only file system")
_ENOUGH = 1_000_000  # bytes; a disk with less is called full


def explain(repo: Any, stage: Any, log: Path) -> str:
    """Return a sentence on the disk that made a stage fail; empty when its log speaks of none."""
    output = log.read_text(errors="replace")
    full, read_only = _FULL.search(output), _READ_ONLY.search(output)
    if not (full or read_only or NOT_KEPT in output):
        return ""
    places = {"DVC's cache": Path(repo.cache.local.path)}
    places |= {str(out): Path(out.fs_path) for out in stage.outs if out.protocol == "local"}
    places |= {"the working folder": Path(repo.root_dir)}
    test = _is_full if full else _is_read_only
    found = [f"{what} ({_existing(path)})" for what, path in places.items() if test(_existing(path))]
    where = " and ".join(found[:2]) or ("DVC's cache" if NOT_KEPT in output else "a folder that its log names")
    state = "the disk is full" if full else "the disk is read-only" if read_only else "it cannot be written"
    lost = "the stage's result is not kept" if NOT_KEPT in output else "the stage failed"
    remedy = "free some space" if full else "make it writable"
    return f"{stage.addressing}: {state} at {where}, so {lost}: {remedy}, then run `provenn repro` again."


def forget_result(repo: Any, stage: Any) -> bool:
    """Take a stage out of dvc.lock whose outputs the cache does not hold, so that the next repro makes them again.

    Returns whether it was; a disk that is full for the lock too leaves it as it was.
    """
    from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

    path = lock_of(stage)
    with suppress(OSError, UserError), repository_locked(repo, PATIENCE_SECONDS):
        content = parse_yaml_for_update(path.read_text(encoding="utf-8"), str(path))
        if content["stages"].pop(stage.name, None) is not None:
            write_bytes(path, dumps_yaml(content).encode())
            return True
    return False


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _is_full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < _ENOUGH


def _is_read_only(folder: Path) -> bool:
    return not os.access(folder, os.W_OK)
