"""A sweep in MLflow: a run for it, below that one for each trial, and below those the runs of the trial's stages."""

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from provenn.record import process_name
from provenn.repository import EXPERIMENT, commit_tags, has_commit
from provenn.sweep.report import FAILED, SweepReport
from provenn.sweep.search import Search
from provenn.view.contents import Point
from provenn.view.experiments import runs_of_experiment, show_experiment
from provenn.view.meta import meta_of
from provenn.view.names import clean_name
from provenn.view.records import now
from provenn.view.run import NOTE, PARAM_LENGTH, PARENT, PROCESS, TAG_LENGTH, log_points
from provenn.view.runs import FAILURE
from provenn.view.store import connect, default_experiment, experiment_id
from provenn.view.writer import Writer

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SWEEP = "provenn.sweep"
ENDED = {TrialState.COMPLETE: "FINISHED", FAILED: "FAILED"}


class SweepRuns(Writer):
    """Writes the runs of a sweep, and finds those that it had before it was ended."""

    def __init__(self, search: Search) -> None:
        super().__init__(search.root)
        self.search = search
        self.client: MlflowClient
        self.parent = ""
        self.trials: dict[str, str] = {}  # run ids, by the name of the experiment
        shown = {
            name: meta_of(stage).experiment or default_experiment(self.root) for name, stage in search.stages.items()
        }
        self.experiments = set(shown.values())
        # MLflow nests runs of one experiment alone: that of the stage that must come out.
        self.experiment = shown.get(search.target) or default_experiment(self.root)

    def open(self, study: optuna.Study) -> None:
        """Begin the sweep's run, or take it up again, with the trials that were not shown yet."""
        self.attempt(lambda: self._open(study))

    def begin(self, number: int, params: Mapping[str, Any]) -> None:
        """Begin the run of a trial."""
        self.attempt(lambda: self._reopen(number, params))

    def finish(self, study: optuna.Study, number: int) -> None:
        """Show what became of a trial."""
        self.attempt(lambda: self._finish(study, study.get_trials(deepcopy=False)[number]))

    def stop(self, numbers: Iterable[int]) -> None:
        """Close the runs of trials that are ended."""
        for run_id in [self.trials[name] for name in map(self.search.experiment, numbers) if name in self.trials]:
            self.attempt(lambda run_id=run_id: self.client.set_terminated(run_id, "KILLED"))  # type: ignore[misc]

    def close(self, study: optuna.Study, report: SweepReport) -> None:
        """Show what became of the sweep."""
        self.attempt(lambda: self._close(study, report))

    def _open(self, study: optuna.Study) -> None:
        self.client = connect(self.root)
        place = experiment_id(self.client, self.experiment, self.root)
        known = self._known(place)
        search = self.search
        for run in known:
            if PARENT in run.data.tags:
                self.trials[run.data.tags[EXPERIMENT]] = run.info.run_id
            else:
                self.parent = run.info.run_id
        if self.parent:
            self.client.update_run(self.parent, "RUNNING")
            self.client.set_tag(self.parent, PROCESS, process_name())
        else:
            tags = commit_tags(self.root) | {SWEEP: search.name, PROCESS: process_name()}
            self.parent = self.client.create_run(place, now(), tags, search.name).info.run_id
            settings = {found.param: str(found) for found in search.ranges} | {
                "stage": search.target,
                "metric": search.objective.key,
                "direction": search.objective.direction,
                "seed": search.seed,
            }
            self._params(self.parent, settings)
        ended = {run.data.tags.get(EXPERIMENT) for run in known if run.info.status in ENDED.values()}
        for trial in study.get_trials(deepcopy=False):
            if trial.state in ENDED and search.experiment(trial.number) not in ended:
                self._finish(study, trial)

    def _known(self, place: str) -> "list[Run]":
        found: list[Run] = []
        token: str | None = None
        while token != "":
            page = self.client.search_runs(
                [place], f"tags.`{SWEEP}` = '{self.search.name}'", max_results=1000, page_token=token
            )
            token = page.token or ""
            found += page
        return found

    def _reopen(self, number: int, params: Mapping[str, Any]) -> None:
        run_id = self.trials.get(self.search.experiment(number))
        if run_id is None:
            self._begin(number, params)
        else:  # the trial was ended
            self.client.update_run(run_id, "RUNNING")
            self.client.set_tag(run_id, PROCESS, process_name())

    def _begin(self, number: int, params: Mapping[str, Any]) -> str:
        name = self.search.experiment(number)
        tags = {EXPERIMENT: name, SWEEP: self.search.name, PARENT: self.parent, PROCESS: process_name()}
        place = experiment_id(self.client, self.experiment, self.root)
        self.trials[name] = self.client.create_run(place, now(), tags, name).info.run_id
        self._params(self.trials[name], params)
        return self.trials[name]

    def _finish(self, study: optuna.Study, trial: FrozenTrial) -> None:
        name, key = self.search.experiment(trial.number), self.search.objective.key
        run_id = self.trials.get(name) or self._begin(trial.number, trial.params)
        commit = trial.user_attrs.get("commit")
        if commit and has_commit(self.root, commit):  # another host's experiments are in its own clone
            show_experiment(self.root, self.client, name, commit)
        stages = runs_of_experiment(self.client, self.experiments, name)
        for run in stages:
            if PARENT not in run.data.tags:
                self.client.set_tag(run.info.run_id, PARENT, run_id)
        if trial.state == TrialState.COMPLETE:
            curve = self._curve(stages)
            last = max((point.step for point in curve), default=0)
            log_points(self.client, run_id, [*curve, Point(key, trial.values[0], last, now() + 1)])
            best = _best_until(study, trial)
            log_points(self.client, self.parent, [Point(key, best, trial.number)])
        else:
            self.client.set_tag(run_id, FAILURE, trial.user_attrs.get("reason", "")[:TAG_LENGTH])
        self.client.set_terminated(run_id, ENDED[trial.state])

    def _curve(self, stages: "list[Run]") -> list[Point]:
        """Return the metric step by step, as a stage's run has it."""
        key = self.search.objective.key
        for run in stages:
            for name in {clean_name(key), clean_name(key.replace("/", "."))} & run.data.metrics.keys():
                history = self.client.get_metric_history(run.info.run_id, name)
                if len({point.step for point in history}) > 1:
                    return [Point(key, point.value, point.step, point.timestamp) for point in history]
        return []

    def _close(self, study: optuna.Study, report: SweepReport) -> None:
        status = "KILLED" if report.stopped else "FINISHED" if report.best else "FAILED"
        note = report.sentence.replace("\n", "\n\n")
        if report.best:
            note = note.replace("dvc exp apply", "`dvc exp apply").rstrip() + "`"
        self.client.set_tag(self.parent, NOTE, note)
        for param, share in _importances(study).items():
            self.client.log_metric(self.parent, clean_name(f"importance/{param}"), share)
        for name, figure in _figures(study).items():
            self.client.log_figure(self.parent, figure, name)
        self.client.set_terminated(self.parent, status)

    def _params(self, run_id: str, values: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        params = [Param(clean_name(name), str(value)[:PARAM_LENGTH]) for name, value in values.items()]
        self.client.log_batch(run_id, params=params)


def _best_until(study: optuna.Study, trial: FrozenTrial) -> float:
    values = [
        other.values[0]
        for other in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        if other.number <= trial.number
    ]
    return float(min(values) if study.direction == optuna.study.StudyDirection.MINIMIZE else max(values))


def _importances(study: optuna.Study) -> dict[str, float]:
    """Return how much each parameter matters, shares of 1; none while the values say nothing of it."""
    values = {trial.values[0] for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])}
    if len(values) < 2:
        return {}
    return {name: float(share) for name, share in optuna.importance.get_param_importances(study).items()}


def _figures(study: optuna.Study) -> dict[str, Any]:
    """Return Optuna's figures, drawn by the matplotlib that MLflow brings along."""
    import matplotlib

    matplotlib.use("Agg")
    from optuna.visualization import matplotlib as draw

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figures = {"history.png": draw.plot_optimization_history(study).figure}
        if _importances(study):
            figures["importance.png"] = draw.plot_param_importances(study).figure
    return figures
