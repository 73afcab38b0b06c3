"""The loop: Optuna's study says what to try next, DVC tries it, and what came of it goes to the study and to MLflow."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import IO, Any

import optuna
from optuna.trial import Trial, TrialState

from provenn.addresses import shown_uri
from provenn.exclusive import only_one
from provenn.files import UserError, one_line
from provenn.record import process_name
from provenn.supervisor import MARK
from provenn.sweep.report import FAILED, SweepReport, read_report
from provenn.sweep.search import Search
from provenn.sweep.shown import SweepRuns
from provenn.sweep.trial import Order
from provenn.view.records import now, process_is_dead

TICK_SECONDS = 0.05
STOP_SECONDS = 15.0  # a supervisor gives what it ends 5 s


@dataclass
class RunningTrial:
    """A trial at work: the supervisor's process, which ends the trial's own once nobody holds its standard input."""

    trial: Trial
    order: Order
    process: "subprocess.Popen[bytes]"
    began: float


class Sweep:
    """A search that is carried out, `jobs` trials at once."""

    def __init__(self, search: Search, study: optuna.Study, jobs: int, tell: Callable[[str], None]) -> None:
        self.search, self.study, self.jobs, self.tell = search, study, jobs, tell
        self.runs = SweepRuns(search)
        self.running: list[RunningTrial] = []
        self.unshown: list[int] = []  # numbers of trials that have ended; the next ones begin first
        # Trials of a sweep that was ended; what a process of another host works on is left to it.
        self.left = [
            Trial(study, found._trial_id)
            for found in study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
            if "process" not in found.user_attrs or process_is_dead(**found.user_attrs["process"])
        ]

    def carry_out(self, trials: int, timeout_s: float | None) -> SweepReport:
        """Run until the study has so many trials, or none may begin any more; Ctrl-C ends those at work."""
        deadline = time.monotonic() + (float("inf") if timeout_s is None else timeout_s)
        self.runs.open(self.study)
        stopped: BaseException | None = None
        try:
            with _terminated_as_interrupted():
                self._run(trials, deadline)
        except (KeyboardInterrupt, UserError) as error:
            stopped = error
            self.tell("ending the trials at work; the same command goes on from here")
            self.runs.stop([one.trial.number for one in self.running])
        finally:
            self._end_all()
        report = read_report(self.search, self.study, trials, stopped=stopped is not None)
        self.runs.close(self.study, report)
        if isinstance(stopped, UserError):
            raise stopped
        return report

    def _run(self, trials: int, deadline: float) -> None:
        while True:
            while len(self.running) < self.jobs and time.monotonic() < deadline and (trial := self._next(trials)):
                self._start(trial)
            while self.unshown:
                self.runs.finish(self.study, self.unshown.pop(0))
            if not self.running:
                return
            for ended in [one for one in self.running if one.process.poll() is not None]:
                self._settle(ended)
                self.running.remove(ended)
            time.sleep(TICK_SECONDS)

    def _next(self, trials: int) -> Trial | None:
        if self.left:
            return self.left.pop(0)
        count = len(self.study.get_trials(deepcopy=False))
        if count >= trials:
            return None
        # A seed a trial: a sweep that was ended then goes on as if it had not been.
        self.study.sampler = optuna.samplers.TPESampler(seed=(self.search.seed * 1_000_003 + count) % 2**32)
        return self.study.ask()

    def _start(self, trial: Trial) -> None:
        values = {found.param: found.suggest(trial) for found in self.search.ranges}
        trial.set_user_attr("process", {"name": process_name(), "since": now()})
        overrides = [f"{param}={value}" for param, value in values.items()]
        name = self.search.experiment(trial.number)
        search = self.search
        order = Order(
            str(search.root), str(search.folder), name, search.target, overrides, list(search.made), search.sources
        )
        order.log.parent.mkdir(parents=True, exist_ok=True)
        order.answer.unlink(missing_ok=True)
        with order.log.open("wb") as log:
            process = _start(order, log)
        self.running.append(RunningTrial(trial, order, process, time.monotonic()))
        self.runs.begin(trial.number, values)

    def _settle(self, ended: RunningTrial) -> None:
        trial, answer = ended.trial, _answer(ended.order)
        seconds, params = time.monotonic() - ended.began, " ".join(ended.order.overrides)
        if "changed" in answer:
            raise UserError(
                "the sources were changed, and values of other sources cannot be compared: undo the change to go on "
                "with this sweep, or keep it and run the command again for a new one."
            )
        try:
            if "failed" in answer:
                raise UserError(answer["failed"])
            trial.set_user_attr("commit", answer["commit"])
            value = self.search.objective.value(answer["metrics"])
        except UserError as error:
            trial.set_user_attr("reason", str(error))
            self.study.tell(trial, state=FAILED)
            self.tell(f"trial {trial.number} failed ({seconds:.1f} s): {params}; {error} Its log: {ended.order.log}")
        else:
            self.study.tell(trial, value)
            best = self.study.best_trial
            self.tell(
                f"trial {trial.number}: {self.search.objective.key} {value:.6g} ({seconds:.1f} s): {params}; "
                + ("the best so far" if best.number == trial.number else f"best {best.value:.6g}, trial {best.number}")
            )
        self.unshown.append(trial.number)

    def _end_all(self) -> None:
        for one in self.running:
            assert one.process.stdin
            one.process.stdin.close()
        for one in self.running:
            with suppress(subprocess.TimeoutExpired):
                one.process.wait(STOP_SECONDS)


def sweep(
    search: Search,
    *,
    trials: int,
    jobs: int,
    timeout_s: float | None = None,
    storage: str | None = None,
    tell: Callable[[str], None],
) -> SweepReport:
    """Carry out a search, or go on with it; `tell` takes a line for each trial that ends.

    The study is kept in a database, `storage` or else a file of the repository. Raises UserError when that cannot be
    used, and when another sweep of the repository is at work.
    """
    with only_one(search.root, "sweep", wait_s=0.5):
        shutil.rmtree(search.folder / "workspaces", ignore_errors=True)  # of trials that were killed
        return Sweep(search, _open_study(search, storage), jobs, tell).carry_out(trials, timeout_s)


def _open_study(search: Search, storage: str | None) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    search.folder.mkdir(parents=True, exist_ok=True)
    place = storage or f"sqlite:///{search.folder}/study.db"
    # The driver of psycopg 3: which one the plain address means depends on SQLAlchemy's version.
    url = re.sub("^postgres(ql)?://", "postgresql+psycopg://", place)
    try:
        return optuna.create_study(
            study_name=search.name, storage=url, direction=search.objective.direction, load_if_exists=True
        )
    except ImportError:
        raise UserError(
            f"the driver of {shown_uri(url)} is not installed: `pip install 'psycopg[binary]'` has PostgreSQL's."
        ) from None
    except Exception as error:  # of the database, of its driver, or of SQLAlchemy that makes sense of the address
        raise UserError(
            f"the study cannot be kept in {shown_uri(place)} ({one_line(error)[:200].rstrip('.')}): mend --storage."
        ) from None


def _start(order: Order, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    # -P: a folder of the repository, such as data/, must not be taken for a package of ours.
    python = [sys.executable, "-P", "-m"]
    return subprocess.Popen(
        [*python, "provenn.supervisor", *python, "provenn.sweep.trial", order.as_json()],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=order.root,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore", MARK: f"sweep {order.answer}//"},
        start_new_session=True,
    )


def _answer(order: Order) -> dict[str, Any]:
    lines = order.log.read_text(errors="replace").splitlines()
    said = next((line.strip() for line in reversed(lines) if line.strip() and not line.startswith("ERROR: ")), "")
    if not order.answer.is_file():
        return {"failed": f"its process ended without an answer; its last line: {said[:500] or 'none'}."}
    answer: dict[str, Any] = json.loads(order.answer.read_bytes())
    return {"failed": f"{answer['failed']}; its last line: {said[:500]}."} if "failed" in answer else answer


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
