"""`track`: one stage, one process, one MLflow run, which never costs the stage its result."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType

from threadpoolctl import threadpool_limits

from provenn.files import UserError
from provenn.tracking.entry import StageEntry, read_entry
from provenn.tracking.origin import git_tags, numeric_platform, process_tag, uncommitted_patch
from provenn.tracking.records import Record
from provenn.tracking.store import connect, project_root, tracking_uri
from provenn.tracking.writing import RunWriter

PARENT_RUN = "PROVENN_PARENT_RUN_ID"
STRICT = "PROVENN_STRICT_TRACKING"  # tests set it: a mistake in tracking then fails the stage


class Run:
    """The MLflow run of a stage. When the tracking server fails it warns once and goes on without."""

    def __init__(self, entry: StageEntry) -> None:
        self.entry = entry
        self.behind = False
        self._writer: RunWriter | None = None
        self._history_logged = False
        self._record = Record(entry.name, entry.key, {}, started=_now(), ended=0)

    def start(self) -> None:
        """Open the run with all that is known before the work: tags, parameters, data sets."""
        record = self._record
        record.tags = git_tags() | {"numeric.platform": numeric_platform()}
        if record.tags.get("git.dirty") == "true":
            record.patch, record.tags["provenn.patch"] = uncommitted_patch()
        self._attempt(self._start)

    def epoch(self, record: Mapping[str, float]) -> None:
        """Log one record of the history, its `epoch` as the step, in one call."""
        self._history_logged = True
        self._attempt(lambda: self._open.metrics(record, step=int(record["epoch"])))

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log numbers that belong to this run alone and to no output file, such as durations."""
        self._record.metrics |= {name: float(value) for name, value in values.items()}
        self._attempt(lambda: self._open.metrics(values))

    def finish(self, outs: dict[str, str]) -> None:
        """Keep what no output holds for `provenn sync`, show the stage's files in the run and close it."""
        self.entry.outs.update(outs)
        self._record.outs, self._record.ended = dict(outs), _now()
        # Also when tracking is behind, and above all then: `provenn sync` reads it.
        with suppress(OSError):
            self._record.save(project_root())
        self._attempt(self._finish)

    def fail(self, status: str, reason: str) -> None:
        """Close the run as FAILED or KILLED with the reason."""
        self._attempt(lambda: self._fail(status, reason))

    def _start(self) -> None:
        tags = self._record.tags | {"provenn.process": process_tag()}
        if os.environ.get(PARENT_RUN):
            tags["mlflow.parentRunId"] = os.environ[PARENT_RUN]
        if "git.commit" in tags:
            tags["mlflow.source.git.commit"] = tags["git.commit"]
        client = connect(from_stage=True)
        self._writer = RunWriter.create(client, self.entry, tags, self._record.started)
        if self._record.patch:
            self._writer.patch(self._record.patch)

    def _finish(self) -> None:
        if not self._history_logged:
            self._open.history(self.entry)
        self._open.files(self.entry)
        self._open.register(self.entry)
        self._open.test_results(self.entry)
        self._open.nest(self.entry)
        self._open.finish()

    def _fail(self, status: str, reason: str) -> None:
        self._open.tags({"failure": reason})
        self._open.finish(status)

    @property
    def _open(self) -> RunWriter:
        assert self._writer is not None
        return self._writer

    def _attempt(self, action: Callable[[], None]) -> None:
        if self.behind:
            return
        try:
            action()
        except Exception as error:
            if os.environ.get(STRICT):
                raise
            self.behind = True
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            print(
                f"warning: tracking is behind: {tracking_uri(project_root())} did not take the run ({reason}). "
                "The result is not affected; `provenn sync` adds the run later.",
                file=sys.stderr,
            )


@contextmanager
def track(stage: str, item: str | None = None) -> Iterator[Run]:
    """Run a stage's work inside its MLflow run: FINISHED with its files shown, FAILED or KILLED with the reason."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    entry, digest_outs = read_entry(f"{stage}@{item}" if item else stage)
    run = Run(entry)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with threadpool_limits(int(os.environ["OMP_NUM_THREADS"])):
            run.start()
            try:
                yield run
            except KeyboardInterrupt as error:
                run.fail("KILLED", str(error) or "interrupted")
                raise
            except UserError as error:
                run.fail("FAILED", str(error))
                raise UserError(f"{entry.name}: {error}") from error
            except BaseException as error:
                run.fail("FAILED", f"{type(error).__name__}: {error}")
                raise
            run.finish(digest_outs())
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(f"ended by {signal.Signals(number).name}")


def _now() -> int:
    return int(time.time() * 1000)
