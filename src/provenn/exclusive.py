"""One process at a time for a command."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provenn.files import UserError


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
