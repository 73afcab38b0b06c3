"""What became of a sweep."""

from dataclasses import asdict, dataclass
from typing import Any

import optuna
from optuna.trial import TrialState

from provenn.sweep.search import Search

# Optuna's sampler learns nothing of a trial in the state FAIL, and proposes what lies beside it again and again. One
# that was pruned counts as worse than all that have a value.
FAILED = TrialState.PRUNED


@dataclass(frozen=True)
class Best:
    """The best trial: its number, the name of its experiment, its value and parameters."""

    trial: int
    experiment: str
    value: float
    params: dict[str, Any]


@dataclass(frozen=True)
class SweepReport:
    """How many trials finished and failed, how many of those asked for are left, and the best one."""

    sweep: str
    metric: str
    direction: str
    finished: int
    failed: int
    left: int
    stopped: bool
    best: Best | None

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 1 when no trial has a value, or else 0."""
        return 130 if self.stopped else int(self.best is None)

    @property
    def sentence(self) -> str:
        """The report in words."""
        counts = f"{self.sweep}: {self.finished} trials finished, {self.failed} failed"
        counts += f", {self.left} are left: the same command goes on" if self.left else ""
        if self.best is None:
            return f"{counts}; none has a value yet."
        params = " ".join(f"{name}={value}" for name, value in self.best.params.items())
        return (
            f"{counts}.\nBest: {self.metric} {self.best.value:.6g} with {params}\n"
            f"Take it: dvc exp apply {self.best.experiment}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return asdict(self)


def read_report(search: Search, study: optuna.Study, trials: int, *, stopped: bool) -> SweepReport:
    """Return how far a study is on its way to so many `trials`."""
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    finished, failed = states.count(TrialState.COMPLETE), states.count(FAILED)
    best = None
    if finished:
        found = study.best_trial
        best = Best(found.number, search.experiment(found.number), study.best_value, found.params)
    goal = search.objective
    left = max(trials - finished - failed, 0)
    return SweepReport(search.name, goal.key, goal.direction, finished, failed, left, stopped, best)
