"""`provenn repro`: DVC's stages side by side, with the result of a serial `dvc repro`.

Each stage that has changed is one `dvc repro --single-item` process, started as soon as all that it needs is up to
date. DVC's own locks keep `dvc.lock` whole; this module decides what runs when, and tidies up afterwards.
"""

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Protocol

from provenn.files import write_json
from provenn.pipeline.dvc_locks import LockFile, blockers, mend_rwlock
from provenn.pipeline.graph import Plan, open_repository, read_plan
from provenn.pipeline.locks import only_one
from provenn.pipeline.processes import Outcome, StageProcess, stop
from provenn.pipeline.report import UP_TO_DATE, Report, summarise
from provenn.tracking.pipeline_run import PipelineRun
from provenn.tracking.recorder import PARENT_RUN

FOLDER = Path(".dvc/tmp/provenn")  # logs and durations, below the repository's root
UNTRACKED = {"check_params"}  # opens no run, so it need not wait for the pipeline's
TICK_SECONDS = 0.05
BUSY_SECONDS = 30.0  # how long a stage whose files someone else holds is tried again
BUSY_PAUSE_SECONDS = 1.0


class View(Protocol):
    """Whoever watches a run."""

    def started(self, process: StageProcess) -> None:
        """A stage's process was started."""

    def finished(self, name: str, outcome: Outcome, seconds: float) -> None:
        """It is settled what becomes of a stage."""

    def note(self, text: str) -> None:
        """Something else that the user should know."""


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def reproduce(targets: Iterable[str], jobs: int, view: View) -> Report:
    """Bring `targets`, or everything, up to date in the repository of this folder, `jobs` stages at once.

    Raises UserError, before anything is touched, for an unknown target, a pipeline that DVC refuses, and a lock that
    someone else holds.
    """
    root = Path.cwd()
    began = time.monotonic()
    with open_repository(root) as repo, only_one(root, "repro", wait_s=0):
        mend_rwlock(repo)
        runner = Runner(read_plan(repo, targets), jobs, view, PipelineRun(root))
        try:
            report = runner.run()
        finally:
            runner.tidy_up()
        _remember_durations(report)
        report.total_seconds = time.monotonic() - began
        _close(runner.parent, report, view)
    if report.stopped_by is None and not runner.parent.warning:  # else the user has been told to
        _project(root, view)
    return report


class Runner:
    """Decides, tick by tick, which stages of a plan to start, and settles those that ended."""

    def __init__(self, plan: Plan, jobs: int, view: View, parent: PipelineRun) -> None:
        self.plan = plan
        self.view = view
        self.parent = parent
        self.report = Report(jobs)
        self._pending = plan.by_urgency(_known_durations())
        self._running: list[StageProcess] = []
        self._outcomes: dict[str, Outcome] = {}
        self._changed: set[str] = set()
        self._busy_since: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._lock_file = LockFile(plan.repo)
        self._signals: list[int] = []
        self._killed = False

    def run(self) -> Report:
        """Run until everything is settled, or until SIGINT, SIGTERM or SIGHUP; nothing is left running."""
        # What is ignored stays so: a shell does that for jobs that are to outlive it.
        caught = [number for number in _STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
        previous = {number: signal.signal(number, self._interrupt) for number in caught}
        try:
            while (self._pending or self._running) and not self._signals:
                moved = self._start()
                moved = self._collect() or moved
                if not moved:
                    time.sleep(TICK_SECONDS)
        finally:
            if self._signals:
                self.view.note("stopping: what is running gets 5 s to end; interrupt again to kill it at once")
            self._killed = stop(self._running, hurry=lambda: len(self._signals) > 1)
            self._collect(stopped=True)
            for number, handler in previous.items():
                signal.signal(number, handler)
        self.report.stopped_by = self._signals[0] if self._signals else None
        self.report.outcomes = {name: self._outcomes.get(name, "stopped") for name in self.plan.stages}
        self.report.parent_run = self.parent.id
        return self.report

    def tidy_up(self) -> None:
        """Leave lock files that the next repro accepts, in the order of a serial one."""
        if self._killed:
            mend_rwlock(self.plan.repo)
            if self._lock_file.restore_if_cut():
                self.view.note("dvc.lock was cut while it was written: it is as it was before that stage.")
        if self.report.logs:
            self._lock_file.order(list(self.plan.stages))

    def _start(self) -> bool:
        """Start what can be started, the most urgent first; tell whether anything moved."""
        moved = False
        for name in list(self._pending):
            if len(self._running) >= self.report.jobs or self._signals:
                break
            needed = (self._outcomes.get(need) in UP_TO_DATE for need in self.plan.needs[name])
            if not all(needed) or time.monotonic() < self._not_before.get(name, 0.0):
                continue
            if name not in self._changed:
                if not self.plan.changed(name):
                    self._settle(name, "unchanged")
                    moved = True
                    continue
                self._changed.add(name)
            if self.parent.ready() or name in UNTRACKED:
                self._launch(name)
                moved = True
        return moved

    def _launch(self, name: str) -> None:
        log = Path.cwd() / FOLDER / "logs" / f"{name.replace('/', '_').replace(':', '_')}.log"
        process = StageProcess(name, log, {PARENT_RUN: self.parent.id} if self.parent.id else {})
        self._pending.remove(name)
        self._running.append(process)
        self.report.logs[name] = log
        self.view.started(process)

    def _collect(self, stopped: bool = False) -> bool:
        """Settle the stages whose processes have ended; tell whether there were any."""
        ended = [(process, outcome) for process in self._running if (outcome := process.outcome)]
        for process, outcome in ended:
            self._running.remove(process)
            self._lock_file.remember()
            if outcome == "failed" and stopped:
                self._settle(process.name, "stopped", process.seconds)
            elif outcome != "failed":
                self._settle(process.name, outcome, process.seconds)
            elif not (process.busy and self._try_again(process.name)):
                self._settle(process.name, outcome, process.seconds)
                for name in self.plan.descendants(process.name) & set(self._pending):
                    self._settle(name, "skipped")
        return bool(ended)

    def _try_again(self, name: str) -> bool:
        now = time.monotonic()
        if now - self._busy_since.setdefault(name, now) > BUSY_SECONDS:
            self.view.note(
                f"{name}: another process holds its files ({blockers(self.plan.repo)}): "
                "wait for it or end it, then run `provenn repro` again."
            )
            return False
        self._not_before[name] = now + BUSY_PAUSE_SECONDS
        self._pending.insert(0, name)
        return True

    def _settle(self, name: str, outcome: Outcome, seconds: float = 0.0) -> None:
        if name in self._pending:
            self._pending.remove(name)
        self._outcomes[name] = outcome
        self.report.seconds[name] = seconds
        self.view.finished(name, outcome, seconds)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)


_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _close(parent: PipelineRun, report: Report, view: View) -> None:
    """Give the pipeline's run its summary, or remove it when no stage ran under it."""
    if {"ran", "failed", "stopped"} & set(report.outcomes.values()):
        status = "KILLED" if report.stopped_by else "FAILED" if report.exit_code else "FINISHED"
        summary = summarise(report)
        parent.finish(status, summary.metrics, summary.tags, summary.description)
    else:
        parent.discard()
        report.parent_run = None
    if parent.warning:
        view.note(f"warning: {parent.warning}")


def _project(root: Path, view: View) -> None:
    """Make MLflow show what was restored too. The pipeline's results do not depend on it, so nothing here fails it."""
    from provenn.pipeline.sync import synchronise

    try:
        created = sum(stage.state == "created" for stage in synchronise(root).stages)
        if created:
            view.note(f"MLflow: {created} runs were added from the files of restored stages.")
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        view.note(f"warning: MLflow does not show everything yet ({reason}); `provenn sync` completes it.")


def _known_durations() -> dict[str, float]:
    with suppress(OSError, ValueError, TypeError, AttributeError):
        known = json.loads((FOLDER / "durations.json").read_bytes())
        return {str(name): float(seconds) for name, seconds in known.items()}
    return {}


def _remember_durations(report: Report) -> None:
    ran = {name: round(report.seconds[name], 2) for name, outcome in report.outcomes.items() if outcome == "ran"}
    if ran:
        with suppress(OSError):
            write_json(FOLDER / "durations.json", _known_durations() | ran)
