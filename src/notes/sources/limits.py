"""Work that ends by a deadline: a command, or a call that may block for ever; deadlines are on `time.monotonic()`."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")


class SourceError(OSError):
    """Why a source could not serve."""


def run(command: Sequence[str], working_folder: Path, deadline: float) -> None:
    """Run a command until `deadline`, when it is killed together with all that it started."""
    program = shutil.which(command[0])
    if program is None:
        raise SourceError(f"{command[0]} is not installed")
    seconds = max(0.0, deadline - time.monotonic())
    with subprocess.Popen(
        [program, *command[1:]],
        cwd=working_folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            _, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise SourceError(f"{command[0]} was not done within {seconds:.3g} s") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        reason = " ".join(errors.decode(errors="replace").split())
        raise SourceError(f"{command[0]} ended with exit code {process.returncode}: {reason[:300]}")


def in_time(work: Callable[[], Result], deadline: float) -> Result:
    """Return work(), or raise SourceError at the deadline and leave it behind.

    A time-out of a socket covers one operation only: looking a name up, or a server that sends a byte now and then,
    can last for ever. A thread can be left.
    """
    seconds = max(0.0, deadline - time.monotonic())
    results: list[Result] = []
    errors: list[BaseException] = []

    def record() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=record, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise SourceError(f"not done within {seconds:.3g} s")
    return results[0]


def root_cause(error: BaseException) -> BaseException:
    """Return the innermost of a chain of errors, which says what happened in the fewest words."""
    while (inner := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        error = inner
    return error
