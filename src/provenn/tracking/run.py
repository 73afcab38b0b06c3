"""`track`: one stage, one process, one MLflow run, which never costs the stage its result."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from threadpoolctl import threadpool_limits

from provenn.files import UserError
from provenn.tracking.recorder import STRICT, serve, warn
from provenn.tracking.writing import now

# Forked, the recorder has all that the stage has imported. Only on Linux do the system's own libraries bear that.
PROCESSES = multiprocessing.get_context("fork") if sys.platform == "linux" else multiprocessing.get_context("spawn")


class Run:
    """The MLflow run of a stage. Another process writes it while the stage works; only the end waits for that."""

    def __init__(self, stage: str) -> None:
        self._connection, theirs = PROCESSES.Pipe()
        self._recorder = PROCESSES.Process(
            target=serve, args=(stage, os.getpid(), now(), theirs, self._connection), name=f"recorder of {stage}"
        )
        self._recorder.start()
        theirs.close()

    def epoch(self, record: Mapping[str, float]) -> None:
        """Log one record of the history, its `epoch` as the step."""
        self._tell("epoch", _floats(record), now())

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log numbers that belong to this run alone and to no output file, such as durations."""
        self._tell("metrics", _floats(values))

    def finish(self) -> None:
        """Wait until the run shows the stage's files and is closed."""
        self._tell("finish", now())
        try:
            problem = self._connection.recv()
        except (EOFError, OSError):
            problem = f"the process {self._recorder.pid} that writes it has ended"
            if not os.environ.get(STRICT):
                warn(problem)
                return
        if problem:
            raise UserError(problem)

    def fail(self, status: str, reason: str) -> None:
        """Close the run as FAILED or KILLED with the reason."""
        self._tell("fail", status, reason)

    def close(self) -> None:
        """Wait until the process that writes the run has ended."""
        try:
            self._tell()
        finally:
            self._connection.close()
        self._recorder.join()

    def _tell(self, *message: Any) -> None:
        with suppress(OSError):  # its end is noticed, and told, when the stage is finished
            self._connection.send(message)


@contextmanager
def track(stage: str, item: str | None = None) -> Iterator[Run]:
    """Run a stage's work inside its MLflow run: FINISHED with its files shown, FAILED or KILLED with the reason."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    name = f"{stage}@{item}" if item else stage
    run = Run(name)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with threadpool_limits(int(os.environ["OMP_NUM_THREADS"])):
            yield run
        run.finish()
    except KeyboardInterrupt as error:
        run.fail("KILLED", str(error) or "interrupted")
        raise
    except UserError as error:
        run.fail("FAILED", str(error))
        raise UserError(f"{name}: {error}") from error
    except BaseException as error:
        run.fail("FAILED", f"{type(error).__name__}: {error}")
        raise
    finally:
        run.close()
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(f"ended by {signal.Signals(number).name}")


def _floats(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
