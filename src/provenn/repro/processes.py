"""A stage's `dvc repro --single-item` process: started apart from the terminal, ended with all that it started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

from provenn.repro.disk import NOT_KEPT
from provenn.repro.forks import can_fork, fork_supervised
from provenn.repro.plan import Plan
from provenn.supervisor import GRACE_SECONDS, KILL, MARK, STOP, Process, end, find

if TYPE_CHECKING:
    from provenn.repro.work import Work

Outcome = Literal["ran", "restored", "unchanged", "failed", "skipped", "stopped"]

_TAIL_BYTES = 8192


class Supervisor(Process, Protocol):
    """The process that supervises a stage's DVC, and takes orders."""

    stdin: IO[bytes] | None

    def kill(self) -> None:
        """Send SIGKILL."""


class StageProcess:
    """The process that brings one stage of a `run` up to date, its output going to `log`.

    It is forked where the `plan` is given and allows that, and started otherwise.
    """

    def __init__(
        self, name: str, log: Path, environment: Mapping[str, str], run: str, plan: Plan | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._mark = f"{run}{name}//"
        self.started = time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        given = {"PYTHONUNBUFFERED": "1", MARK: self._mark} | dict(environment)
        with log.open("wb") as output:
            self._process: Supervisor = (
                fork_supervised(plan, name, output.fileno(), given)
                if plan and can_fork(plan, name)
                else _start_supervised(name, output, given)
            )

    @property
    def seconds(self) -> float:
        """Seconds since the process was started."""
        return time.monotonic() - self.started

    @property
    def exit_code(self) -> int | None:
        """DVC's exit code, which is 0 even where its cache could not take an output; None while it runs."""
        return self._process.poll()

    @property
    def outcome(self) -> Outcome | None:
        """What became of the stage, from DVC's own words; None while the process runs."""
        code = self._process.poll()
        if code is None:
            return None
        if code != 0:
            return "failed"
        output = self.log.read_text(errors="replace")
        if NOT_KEPT in output:
            return "failed"
        if f"Stage '{self.name}' is cached - skipping run" in output:
            return "restored"
        return "unchanged" if f"Stage '{self.name}' didn't change, skipping" in output else "ran"

    @property
    def busy(self) -> bool:
        """Tell whether DVC refused to begin because another process holds files of this stage."""
        output = self.log.read_text(errors="replace")
        refused = "is busy, it is being blocked by" in output or "Unable to acquire lock" in output
        return refused and f"Running stage '{self.name}'" not in output

    def last_line(self) -> str:
        """Return the last line of the stage's output, or the last state of a progress bar."""
        with self.log.open("rb") as output:
            output.seek(max(0, output.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = output.read().decode(errors="replace").replace("\r", "\n").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    @property
    def was_killed(self) -> bool:
        """Tell whether DVC, or the process that supervises it, ended by a signal, were it ours."""
        code = self._process.poll()
        return code is not None and (code < 0 or 128 < code < 128 + signal.NSIG)

    def tell(self, order: bytes) -> None:
        """Send an order to the supervisor, unless it has ended."""
        assert self._process.stdin
        with suppress(OSError):
            self._process.stdin.write(order)

    def end_rest(self) -> None:
        """End what the stage has left running, where its supervisor was killed and so did not."""
        if self._process.poll() is None:
            self._process.kill()
        if self._process.wait() < 0:
            end(lambda: find(self._mark, self._process.pid))


@contextmanager
def interrupts_taken(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Let a handler have SIGINT, SIGTERM and SIGHUP.

    What is ignored stays so: a shell does that for jobs that are to outlive it.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    caught = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, handler) for number in caught}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


def stop(stages: "Sequence[Work]", hurry: Callable[[], bool] = lambda: False) -> None:
    """End stages and all that they started: in order within 5 s; what is left then, or on `hurry()`, is killed."""
    for stage in stages:
        stage.tell(STOP)
    deadline = time.monotonic() + 2 * GRACE_SECONDS
    while not all(stage.outcome for stage in stages) and time.monotonic() < deadline:
        if hurry():
            for stage in stages:
                stage.tell(KILL)
        time.sleep(0.05)
    for stage in stages:
        stage.end_rest()


def _start_supervised(name: str, output: IO[bytes], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    # -P: a folder of the repository, such as data/, must not be taken for a package of DVC's.
    # --wait-for-lock: two stages that end together queue for dvc.lock instead of losing one's result after 3 s.
    python = [sys.executable, "-P", "-m"]
    dvc = [*python, "dvc", "--wait-for-lock", "repro", "--single-item", name]
    # A session of its own: Ctrl-C in the terminal reaches the runner alone, which ends the stage in order.
    return subprocess.Popen(
        [*python, "provenn.supervisor", "--spare", *dvc],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=os.environ | environment,
        start_new_session=True,
    )
