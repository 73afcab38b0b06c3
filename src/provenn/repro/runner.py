"""What runs when: each stage that has changed, as soon as all that it needs is up to date, the most urgent first.

DVC's own locks keep dvc.lock whole; this module decides what to start, and tidies up afterwards.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from graphlib import TopologicalSorter
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from provenn.cut_lock import restore_cut_locks
from provenn.exclusive import only_one
from provenn.files import UserError
from provenn.lock import recorded
from provenn.repro.damaged import forget_wrong_sizes, set_aside_damaged
from provenn.repro.disk import explain, forget_result
from provenn.repro.durations import known_durations, remember_durations
from provenn.repro.dvc_locks import LockFiles, blockers, mend_rwlock, repository_locked
from provenn.repro.engines.connect import HERE, Destination, at_engine
from provenn.repro.plan import Plan, is_step, open_repository, read_plan
from provenn.repro.processes import Outcome, StageProcess, interrupts_taken, stop
from provenn.repro.repeated import compare
from provenn.repro.report import UP_TO_DATE, Report
from provenn.repro.run_cache import forget_lost_outputs
from provenn.repro.tracking import Tracking
from provenn.repro.unfinished import Unfinished, heal_killed, remove_temporary_files
from provenn.repro.unseen_edits import forget_unseen_edits
from provenn.repro.work import View, Work, available_cores, log_path

if TYPE_CHECKING:
    from provenn.repro.engines.dispatch import Dispatcher

TICK_SECONDS = 0.05
BUSY_SECONDS = 30.0  # how long a stage whose files someone else holds is tried again
BUSY_PAUSE_SECONDS = 1.0


def reproduce(
    root: Path, targets: Iterable[str], jobs: int | None, view: View, destination: Destination = HERE
) -> Report:
    """Bring `targets`, or everything, up to date in the DVC repository at `root`, `jobs` stages at once.

    That is on this machine, by default as many as it has cores; or at the engine of a destination, by default all that
    are ready. Raises UserError, before anything is touched, for an unknown target, a pipeline that DVC refuses, a lock
    that someone else holds, and an engine that cannot be used.
    """
    began = time.monotonic()
    folder, slots = Path.cwd(), jobs or available_cores()
    os.chdir(root)  # DVC names stages as seen from the working folder
    with (
        open_repository(root) as repo,
        only_one(root, "repro", wait_s=0),
        at_engine(repo, destination, slots, view.note) as dispatcher,
    ):
        earlier, told = heal_killed(repo)
        mend_rwlock(repo)
        with repository_locked(repo):
            told += restore_cut_locks(root)
        plan = read_plan(repo, targets, folder)
        told += remove_temporary_files(repo, plan.stages.values())
        for line in told:
            view.note(line)
        forget_unseen_edits(plan)
        tracking = Tracking(root)
        at_once = len(plan.stages) if destination.is_elsewhere and not jobs else slots
        report = Report(at_once, destination.address)
        runner = Runner(root, plan, report, view, tracking, earlier, dispatcher)
        before = recorded(root, plan.stages)
        try:
            runner.run()
        finally:
            runner.tidy_up()
        ran = [name for name, outcome in report.outcomes.items() if outcome == "ran"]
        report.repetition = compare(before, recorded(root, plan.stages) if ran else {}, ran)
        remember_durations(root, report)
        report.total_seconds = time.monotonic() - began
        tracking.end(report, view.note)
    return report


class Runner:
    """Decides, tick by tick, which stages of a plan to start, and settles those that ended."""

    def __init__(
        self,
        root: Path,
        plan: Plan,
        report: Report,
        view: View,
        tracking: Tracking,
        earlier: Unfinished,
        dispatcher: "Dispatcher | None",
    ) -> None:
        self.root = root
        self.plan = plan
        self.view = view
        self.tracking = tracking
        self.report = report
        self._dispatcher = dispatcher
        self._order = {name: place for place, name in enumerate(plan.by_urgency(known_durations(root)))}
        self._graph = TopologicalSorter(plan.needs)
        self._graph.prepare()
        self._ready: list[str] = []
        self._running: list[Work] = []
        self._outcomes: dict[str, Outcome] = {}
        self._changed: set[str] = set()
        self._busy_since: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._locks = LockFiles(plan.repo, plan.stages, earlier.locks)
        self._unfinished = Unfinished(f"{root}//{os.getpid()}-{time.time_ns()}//", self._locks.before)
        self._goes_on = bool(earlier.locks)
        self._signals: list[int] = []
        self._killed = False

    def run(self) -> Report:
        """Run until everything is settled, or until SIGINT, SIGTERM or SIGHUP; nothing is left running."""
        with interrupts_taken(self._interrupt):
            try:
                while not self._signals:
                    self._ready = sorted([*self._ready, *self._graph.get_ready()], key=self._order.__getitem__)
                    if not self._ready and not self._running:
                        break
                    moved = self._start()
                    if not (self._collect() or moved):
                        time.sleep(TICK_SECONDS)
            finally:
                if self._signals:
                    self.view.note("stopping: what is running gets 5 s to end; interrupt again to kill it at once")
                stop(self._running, hurry=lambda: len(self._signals) > 1)
                self._collect(stopped=True)
        self.report.stopped_by = self._signals[0] if self._signals else None
        rest: Outcome = "stopped" if self._signals else "skipped"
        for name in self.plan.stages:
            if name not in self._outcomes:
                self._settle(name, rest)
        self.report.outcomes = {name: self._outcomes[name] for name in self.plan.stages}
        return self.report

    def tidy_up(self) -> None:
        """Leave lock files that the next repro accepts, in the order of a serial one."""
        if self._killed:
            self._mend()
        if self.report.logs or self._goes_on:
            self._locks.order()
            self._unfinished.settle(self.root, complete=UP_TO_DATE.issuperset(self._outcomes.values()))

    def _mend(self) -> None:
        mend_rwlock(self.plan.repo)
        for name in self._locks.restore_if_cut():
            self.view.note(f"{name} was cut while it was written: it is as it was before that stage.")

    def _start(self) -> bool:
        """Start what can be started; tell whether anything moved."""
        for name in self._ready:
            if len(self._running) >= self.report.jobs or self._signals:
                return False
            if time.monotonic() < self._not_before.get(name, 0.0):
                continue
            self._ready.remove(name)
            if name not in self._changed and not self.plan.changed(name) and not self._has_wrong_sizes(name):
                self._settle(name, "unchanged")
            else:
                self._launch(name)
            return True
        return False

    def _has_wrong_sizes(self, name: str) -> bool:
        if wrong := ", ".join(forget_wrong_sizes(self.plan.stages[name])):
            self.view.note(f"{name}: not of the size that dvc.lock has, so damaged, and made again: {wrong}.")
        return bool(wrong)

    def _launch(self, name: str) -> None:
        if name not in self._changed and not self._heal(name):
            self._not_before[name] = time.monotonic() + BUSY_PAUSE_SECONDS
            self._ready.append(name)
            return
        self._changed.add(name)
        if not self.report.logs:
            self._unfinished.write(self.root)
        log = log_path(self.root, name)
        environment = self.tracking.begin(name)
        sent = self._dispatcher and self._dispatcher.start(name, self.plan.stages[name], log, environment)
        # The client of an engine has threads, which a fork would not.
        plan = None if self._dispatcher else self.plan
        process: Work = sent or StageProcess(name, log, environment, self._unfinished.run, plan)
        self._running.append(process)
        self.report.logs[name] = log
        self.view.started(process)

    def _heal(self, name: str) -> bool:
        """Set aside what DVC would restore and is damaged, and forget what is lost; False while DVC's lock is held."""
        repo, stage = self.plan.repo, self.plan.stages[name]
        for line in set_aside_damaged(repo, stage):
            self.view.note(line)
        with suppress(UserError):
            if line := forget_lost_outputs(repo, stage):
                self._locks.forget_earlier()
                self.view.note(line)
            return True
        return False

    def _collect(self, stopped: bool = False) -> bool:
        """Settle the stages whose processes have ended; tell whether there were any."""
        ended = [(process, outcome) for process in self._running if (outcome := process.outcome)]
        for process, outcome in ended:
            self._running.remove(process)
            if process.was_killed:
                self._killed = True
                process.end_rest()
                with suppress(UserError):  # another stage is being saved: `tidy_up` mends it
                    self._mend()
            self._locks.remember()
            if outcome == "failed" and not stopped and process.busy and self._try_again(process.name):
                continue
            if outcome == "failed" and not stopped:
                self._explain(process)
            final: Outcome = "stopped" if outcome == "failed" and stopped else outcome
            self.tracking.settle(process, final)
            self._settle(process.name, final, process.seconds)
        return bool(ended)

    def _explain(self, process: Work) -> None:
        stage = self.plan.stages[process.name]
        if sentence := explain(self.plan.repo, stage, process.log):
            self.view.note(sentence)
        if process.exit_code == 0 and is_step(stage) and forget_result(self.plan.repo, stage):
            self._locks.forget_earlier()

    def _try_again(self, name: str) -> bool:
        now = time.monotonic()
        if now - self._busy_since.setdefault(name, now) > BUSY_SECONDS:
            self.view.note(
                f"{name}: another process holds its files ({blockers(self.plan.repo)}): "
                "wait for it or end it, then run `provenn repro` again."
            )
            return False
        self._not_before[name] = now + BUSY_PAUSE_SECONDS
        self._ready.append(name)
        return True

    def _settle(self, name: str, outcome: Outcome, seconds: float = 0.0) -> None:
        self._outcomes[name] = outcome
        self.report.seconds[name] = seconds
        if outcome in UP_TO_DATE:
            self._graph.done(name)
        self.view.finished(name, outcome, seconds)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)
