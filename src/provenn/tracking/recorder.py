"""The process beside a stage that writes its MLflow run, so that MLflow costs the stage's work no time."""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from provenn.files import UserError
from provenn.tracking import models, projection
from provenn.tracking.entry import read_entry
from provenn.tracking.origin import git_tags, numeric_platform, process_tag, uncommitted_patch
from provenn.tracking.records import Record
from provenn.tracking.store import connect, project_root, tracking_uri
from provenn.tracking.writing import RunWriter, packed

if TYPE_CHECKING:
    from mlflow.entities import Metric

PARENT_RUN = "PROVENN_PARENT_RUN_ID"
STRICT = "PROVENN_STRICT_TRACKING"  # tests set it: a mistake in tracking then fails the stage


def serve(stage: str, process: int, began: int, connection: Connection, other_end: Connection) -> None:
    """Write the run of `stage`, whose process has the number `process` and began at `began` (ms since 1970).

    Does what the messages of `connection` say, (method, argument, …), until an empty one; a stage that ends without
    that word was killed.
    """
    other_end.close()  # forked: as long as it is open here, the stage's end would go unnoticed
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the stage says what becomes of the run
    gc.disable()  # a third of the time that imports take; what is made here is needed until the end
    with threadpool_limits(int(os.environ["OMP_NUM_THREADS"])), connection:
        try:
            recorder = Recorder(stage, process, began)
        except UserError as error:
            connection.send(str(error))
            return
        recorder.begin()
        while message := _next(connection):
            method, *arguments = message
            getattr(recorder, method)(*arguments)
            if method == "finish":
                with suppress(OSError):
                    connection.send(recorder.problem)
            elif not connection.poll():
                recorder.write_waiting()
        recorder.end()


class Recorder:
    """Writes one run. When the tracking server fails it warns once and goes on without.

    `problem` is a mistake in tracking that shall fail the stage. Raises UserError when DVC cannot read the stage.
    """

    def __init__(self, stage: str, process: int, began: int) -> None:
        self.problem: str | None = None
        self._process = process
        self._behind = False
        self._closed = False
        self._waiting: list[Metric] = []
        self._history_logged = False
        self._writer: RunWriter | None = None
        self._entry, self._digest_outs = read_entry(stage)
        self._record = Record(stage, self._entry.key, {}, started=began, ended=0)

    def begin(self) -> None:
        """Open the run with all that is known before the work: tags, parameters, data sets."""
        record = self._record
        record.tags = git_tags() | {"numeric.platform": numeric_platform()}
        if record.tags.get("git.dirty") == "true":
            record.patch, record.tags["provenn.patch"] = uncommitted_patch()
        self._attempt(self._begin)

    def epoch(self, record: Mapping[str, float], at: int) -> None:
        """Log a record of the history, made at the moment `at` (ms since 1970)."""
        self._history_logged = True
        self._attempt(lambda: self._waiting.extend(packed(record, int(record["epoch"]), at)))

    def metrics(self, values: Mapping[str, float]) -> None:
        """Keep numbers of the run; they are written when it is closed."""
        self._record.metrics |= values

    def write_waiting(self) -> None:
        """Write the numbers that have come in, in one call."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._attempt(lambda: self._open.points(waiting))

    def finish(self, ended: int) -> None:
        """Keep what no output holds for `provenn sync`, show the stage's files in the run and close it."""
        self._entry.outs.update(self._digest_outs())
        self._record.outs, self._record.ended = dict(self._entry.outs), ended
        # Also when tracking is behind, and above all then: `provenn sync` reads it.
        with suppress(OSError):
            self._record.save(project_root())
        self.write_waiting()
        self._attempt(self._finish)

    def fail(self, status: str, reason: str) -> None:
        """Close the run as FAILED or KILLED with the reason."""
        self.write_waiting()
        self._attempt(lambda: self._fail(status, reason))

    def end(self) -> None:
        """Close the run as KILLED unless it is closed."""
        if not self._closed:
            self.fail("KILLED", f"process {self._process} ended without closing its run: it was killed")

    def _begin(self) -> None:
        tags = self._record.tags | {"provenn.process": process_tag(self._process)}
        if os.environ.get(PARENT_RUN):
            tags["mlflow.parentRunId"] = os.environ[PARENT_RUN]
        if "git.commit" in tags:
            tags["mlflow.source.git.commit"] = tags["git.commit"]
        client = connect(from_stage=True)
        self._writer = RunWriter.create(client, self._entry, tags, self._record.started)
        if self._record.patch:
            self._writer.patch(self._record.patch)
        models.prepare(projection.model_path(self._entry))

    def _finish(self) -> None:
        if not self._history_logged:
            self._open.history(self._entry)
        self._open.files(self._entry, self._record.metrics)
        self._open.register(self._entry)
        self._open.test_results(self._entry)
        self._open.nest(self._entry)
        self._open.finish(ended=self._record.ended)
        self._closed = True

    def _fail(self, status: str, reason: str) -> None:
        self._open.metrics(self._record.metrics)
        self._open.tags({"failure": reason})
        self._open.finish(status)
        self._closed = True

    @property
    def _open(self) -> RunWriter:
        assert self._writer is not None
        return self._writer

    def _attempt(self, action: Callable[[], None]) -> None:
        if self._behind:
            return
        try:
            action()
        except Exception as error:
            self._behind = True
            if os.environ.get(STRICT):
                self.problem = traceback.format_exc()
            else:
                warn(str(error).splitlines()[0][:200] if str(error) else type(error).__name__)


def warn(reason: str) -> None:
    """Tell the user that the run is not, or not wholly, in the store."""
    print(
        f"warning: tracking is behind: {tracking_uri(project_root())} did not take the run ({reason}). "
        "The result is not affected; `provenn sync` adds the run later.",
        file=sys.stderr,
        flush=True,
    )


def _next(connection: Connection) -> tuple[Any, ...]:
    try:
        message: tuple[Any, ...] = connection.recv()
    except (EOFError, OSError):
        return ()
    return message
