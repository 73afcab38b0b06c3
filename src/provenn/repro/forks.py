"""A stage's supervisor, and its `dvc repro --single-item`, forked from this process, which has DVC and the pipeline.

A process of its own takes a second to import the one and to read the other. Both processes are otherwise what they are
when they are started: a session of their own, their own streams, signals, files, command line and environment.
"""

import gc
import os
import signal
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from io import FileIO, TextIOWrapper
from pathlib import Path
from typing import IO, Any

from provenn.process_title import show_as
from provenn.repro.lock_entries import is_as_read, write_alone
from provenn.repro.plan import Plan, is_step, lock_of
from provenn.supervisor import MARK, supervise

_FILES = Path("/proc/self/fd")
_LOGGERS = ("dvc", "dvc_objects", "dvc_data")


class Fork:
    """A forked process that does some work; used as a `subprocess.Popen`. `stdin` is for whoever gives it orders."""

    def __init__(self, work: Callable[[], int]) -> None:
        self.stdin: IO[bytes] | None = None
        self._code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                code = work()
            except BaseException:
                traceback.print_exc()
            finally:
                with suppress(Exception):
                    sys.stdout.flush()
                    sys.stderr.flush()
                os._exit(code & 0xFF)

    def poll(self) -> int | None:
        """Return the exit code, below 0 after a signal; None while it runs."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        code = self._wait(0)
        assert code is not None
        return code

    def kill(self) -> None:
        """Send SIGKILL, unless it has ended."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)

    def _wait(self, options: int) -> int | None:
        if self._code is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code


def can_fork(plan: Plan, name: str) -> bool:
    """Tell whether a stage's DVC may be a fork: on Linux (/proc), and when nothing is open that does not bear a fork.

    That are clients of servers, and DVC's databases: what is open on both sides breaks on one. The plan's are closed.
    """
    stage = plan.stages[name]
    items = [*stage.deps, *stage.outs]
    local = all(item.protocol == "local" and not getattr(item, "def_repo", None) for item in items)
    if not (_FILES.is_dir() and is_step(stage) and local):
        return False
    plan.repo.close()
    return not any(name.endswith("/cache.db") for name in _open_files())


def fork_supervised(plan: Plan, name: str, log: int, environment: Mapping[str, str]) -> Fork:
    """Start the supervisor of a stage, which starts its DVC; both write to the file `log`."""
    stage = plan.stages[name]
    text = plan.locks[lock_of(stage)]
    _arguments()  # what they import is then there in each fork
    orders, giver = os.pipe()
    process = Fork(lambda: _supervise(stage, text, orders, log, environment))
    os.close(orders)
    process.stdin = os.fdopen(giver, "wb", buffering=0)
    return process


def _open_files() -> Iterator[str]:
    for file in _FILES.iterdir():
        with suppress(OSError):
            yield str(file.readlink())


def _supervise(stage: Any, text: str, orders: int, log: int, environment: Mapping[str, str]) -> int:
    os.setsid()
    gc.freeze()  # what the parent has made is never looked at again, nor its memory copied for that
    for number, file in enumerate((orders, log, log)):
        os.dup2(file, number)
    _begin_anew()
    os.environ.update(environment)
    show_as(["-m", "provenn.supervisor", stage.addressing], {MARK: environment[MARK]})
    return supervise(lambda: Fork(lambda: _dvc(stage, text)), spare=True)


def _dvc(stage: Any, text: str) -> int:
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _begin_anew()
    command = ["-m", "dvc", "repro", "--wait-for-lock", "--single-item", stage.addressing]
    # DVC notes it in its lock files; `mend_rwlock` compares that with what the system shows.
    sys.argv = ["dvc", *show_as(command, {MARK: os.environ[MARK]})]
    return _repro(stage, text)


def _begin_anew() -> None:
    """Close the parent's files, and write to those of this process from now on, unbuffered."""
    for file in list(_FILES.iterdir()):
        if int(file.name) > 2:
            with suppress(OSError):
                os.close(int(file.name))
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = TextIOWrapper(FileIO(1, "w", closefd=False), write_through=True)
    sys.stderr = TextIOWrapper(FileIO(2, "w", closefd=False), errors="backslashreplace", write_through=True)


def _repro(stage: Any, text: str) -> int:
    """Do what `dvc repro --single-item` does, with the stage as it was read, if it is as in the `text` of its lock."""
    import logging

    import dvc.cli
    import dvc.logger
    from dvc.cli.command import CmdBase
    from dvc.lock import make_lock

    for name in _LOGGERS:
        logging.getLogger(name).handlers.clear()
    dvc.logger.setup()  # to the streams of this process
    repo = stage.repo
    collect = repo.stage.collect
    options = {"tmp_dir": repo.tmp_dir, "hardlink_lock": repo.config["core"].get("hardlink_lock", False)}
    # Waits: two stages that end together queue for dvc.lock instead of losing one's result after 3 s.
    repo.lock = make_lock(str(Path(repo.tmp_dir) / "lock"), friendly=True, wait=True, **options)
    repo.stage.collect = lambda *args, **kwargs: (
        [stage] if is_as_read(lock_of(stage), stage.name, text) else collect(*args, **kwargs)
    )

    def begin(command: CmdBase, arguments: Any) -> None:
        command.repo, command.config, command.args = repo, repo.config, arguments

    CmdBase.__init__ = begin
    write_alone(stage)
    arguments = Namespace(**vars(_arguments()) | {"targets": [stage.addressing]})
    dvc.cli.parse_args = lambda _=None: arguments
    return int(dvc.cli.main() or 0)


@cache
def _arguments() -> Namespace:
    from dvc.cli.parser import get_main_parser

    arguments = Namespace()
    get_main_parser().parse_args(["--wait-for-lock", "repro", "--single-item"], arguments)
    return arguments
