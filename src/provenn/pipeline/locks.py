"""dvc.lock, of the working folder and of any commit, and who made what in it."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from provenn.files import UserError
from provenn.tracking.entry import StageEntry, parse_lock
from provenn.tracking.origin import git

LOCK = "dvc.lock"


def read_lock(root: Path) -> dict[str, StageEntry]:
    """Return the stages of the working folder's dvc.lock, by name; raise UserError when there is none."""
    path = root / LOCK
    if not path.is_file():
        raise UserError(f"{path} is missing: run `make repro`, or go to the folder of the project.")
    return parse_lock(path.read_text(encoding="utf-8"), LOCK, _descriptions(root))


def read_lock_of(root: Path, commit: str) -> dict[str, StageEntry]:
    """Return the stages of a commit's dvc.lock, by name; none when it has no lock."""
    text = git("show", f"{commit}:./{LOCK}", root=root)
    if text is None:
        if git("cat-file", "-e", f"{commit}^{{commit}}", root=root) is None:
            raise UserError(f"the commit {commit[:12]} is not in this clone: fetch it with `git fetch --all`.")
        return {}
    return parse_lock(text, f"{LOCK} of {commit[:12]}", _descriptions(root, commit))


def commits_with_lock(root: Path) -> list[str]:
    """Return the commits of all branches that changed dvc.lock, dvc.yaml's record of results, the oldest first."""
    return (git("rev-list", "--reverse", "--topo-order", "--branches", "HEAD", "--", LOCK, root=root) or "").split()


def producers(lock: Mapping[str, StageEntry], path: str) -> dict[str, StageEntry]:
    """Return the stages that make a path, by output: the path itself, a folder around it, or files in it."""
    return {
        out: entry
        for entry in lock.values()
        for out in entry.outs
        if out == path or path.startswith(f"{out}/") or out.startswith(f"{path}/")
    }


@contextmanager
def only_one(root: Path, what: str, wait_s: float = 10) -> Iterator[None]:
    """Hold the lock of a command; raise UserError that says who holds it when it is not free within `wait_s`."""
    from filelock import FileLock, Timeout

    path = root / ".dvc" / "tmp" / "provenn" / f"{what}.lock"
    holder = path.with_suffix(".holder")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=wait_s):
            holder.write_text(f"process {os.getpid()}, since {time.strftime('%H:%M:%S')}")
            yield
    except Timeout:
        who = holder.read_text() if holder.is_file() else "a process"
        raise UserError(f"`provenn {what}` is running already ({who}): wait until it has ended, or end it.") from None


def _descriptions(root: Path, commit: str | None = None) -> dict[str, str] | None:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        # The stages' names are relative to the working folder unless the whole pipeline file is asked for.
        with Repo(str(root), rev=commit) as repo:
            return {stage.name: stage.desc or "" for stage in repo.index.stages if stage.name}
    except DvcException:  # a dvc.yaml or params.yaml that is being edited: the lock still says what was made
        return None
