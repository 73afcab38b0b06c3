"""Writing a stage into a run: the same calls for the stage that is running and for one restored from its files."""

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from provenn.files import digest
from provenn.tracking import projection
from provenn.tracking.entry import StageEntry
from provenn.tracking.models import log_model_file, register_champion
from provenn.tracking.origin import PATCH_FILE
from provenn.tracking.store import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

METRICS_A_CALL = 1000  # limits of MLflow
TAGS_A_CALL = 100
SUPERSEDED = "provenn.superseded"
PARENT = "mlflow.parentRunId"


class RunWriter:
    """Writes into one run by its id. MLflow's notion of an active run is not used: it would end it at exit, waiting."""

    def __init__(self, client: "MlflowClient", run_id: str) -> None:
        self.client = client
        self.run_id = run_id

    @classmethod
    def create(
        cls, client: "MlflowClient", entry: StageEntry, tags: dict[str, str], started: int | None = None
    ) -> "RunWriter":
        """Open a run with all that is known before the work: tags, parameters, data sets read. `started` is in ms."""
        experiment = experiment_id(client, projection.experiment_of(entry))
        everything = {name: value[: projection.TAG_LIMIT] for name, value in (projection.tags_of(entry) | tags).items()}
        run = client.create_run(experiment, started, everything, run_name=projection.run_name(entry))
        writer = cls(client, run.info.run_id)
        writer.parameters(projection.parameters_of(entry))
        return writer

    def tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        packed = [RunTag(name, value[: projection.TAG_LIMIT]) for name, value in tags.items()]
        for first in range(0, len(packed), TAGS_A_CALL):
            self.client.log_batch(self.run_id, tags=packed[first : first + TAGS_A_CALL])

    def parameters(self, values: Mapping[str, str]) -> None:
        """Log parameters."""
        from mlflow.entities import Param

        packed = [Param(name, value) for name, value in values.items()]
        for first in range(0, len(packed), TAGS_A_CALL):
            self.client.log_batch(self.run_id, params=packed[first : first + TAGS_A_CALL])

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log numbers of one step, in one call."""
        self.points(packed(values, step))

    def points(self, points: "list[Metric]") -> None:
        """Log numbers of any steps, in as few calls as MLflow allows."""
        for first in range(0, len(points), METRICS_A_CALL):
            self.client.log_batch(self.run_id, metrics=points[first : first + METRICS_A_CALL])

    def history(self, entry: StageEntry) -> None:
        """Log the stage's history, a step an epoch."""
        self.points(
            [point for record in projection.history_of(entry) for point in packed(record, int(record["epoch"]))]
        )

    def files(self, entry: StageEntry, own: Mapping[str, float]) -> None:
        """Show what the stage's outputs hold beyond the history: model, numbers, data sets, figures, description.

        `own` are the run's own numbers, such as durations, which no output holds.
        """
        self.tags(projection.tags_of(entry) | {"mlflow.note.content": projection.description_of(entry)})
        model_id = self._model(entry)
        step, values = projection.kept_metrics_of(entry)
        # A moment later than the history: of one step, MLflow's table shows the latest.
        later = now() + 1
        self.points(packed(values, step, later, model_id) + packed(own, 0, later, model_id))
        self._datasets(entry)
        for path in projection.artifacts_of(entry):
            self.client.log_artifact(self.run_id, str(path), "figures" if path.suffix == ".png" else None)

    def test_results(self, entry: StageEntry) -> None:
        """Log an evaluation's numbers on the runs that made the models, beside their hyperparameters.

        A run that is not there, because DVC restored its stage, gets them from `provenn sync`.
        """
        results = projection.test_metrics_of(entry)
        for path in sorted((entry.root / "models" / str(projection.task_of(entry))).iterdir()) if results else ():
            tag = f"dvc.out.{path.relative_to(entry.root)}"
            run = self._find(entry, f"tags.`{tag}` = '{digest(path)}'")
            if run and path.stem in results:
                log_test_results(self.client, run, results[path.stem])

    def nest(self, entry: StageEntry) -> None:
        """Put the runs that made the models of several seeds below this one, which shows their mean."""
        for path, value in projection.judged_models(entry).items():
            run = self._find(entry, f"tags.`dvc.out.{path}` = '{value}'")
            if run:
                self.client.set_tag(run.info.run_id, PARENT, self.run_id)

    def register(self, entry: StageEntry, *, alias: bool = True) -> bool:
        """Register the exported model of the run, as champion if `alias`; return whether anything was new."""
        path, task = projection.model_path(entry), projection.task_of(entry)
        if path is None or task is None or not path.endswith(".onnx"):
            return False
        outputs = self.client.get_run(self.run_id).outputs
        models = outputs.model_outputs if outputs else []
        return register_champion(self.client, entry.outs[path], models[0].model_id, task, alias=alias)

    def patch(self, patch: str) -> None:
        """Keep the changes that were not committed when the stage ran."""
        folder, _, name = PATCH_FILE.partition("/")
        self.client.log_text(self.run_id, patch, f"{folder}/{name}")

    def finish(self, status: str = "FINISHED", ended: int | None = None) -> None:
        """Close the run; `ended` is in ms. Last of all, so that a finished run is a complete one."""
        self.client.set_terminated(self.run_id, status, ended)

    def _model(self, entry: StageEntry) -> str | None:
        path, task = projection.model_path(entry), projection.task_of(entry)
        if path is None or task is None:
            return None
        return log_model_file(self.client, entry, path, task, self.run_id)

    def _find(self, entry: StageEntry, condition: str) -> "Run | None":
        runs = self.client.search_runs(
            [experiment_id(self.client, projection.experiment_of(entry))],
            f"{condition} AND attributes.status = 'FINISHED'",
            order_by=["attributes.start_time DESC"],
        )
        return next((run for run in runs if SUPERSEDED not in run.data.tags), None)

    def _datasets(self, entry: StageEntry) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = [
            DatasetInput(
                Dataset(name=path, digest=digest, source_type="local", source=json.dumps({"uri": path})),
                [InputTag("mlflow.data.context", context)],
            )
            for path, digest, context in projection.dataset_inputs(entry)
        ]
        if inputs:
            self.client.log_inputs(self.run_id, inputs)


def log_test_results(client: "MlflowClient", run: "Run", metrics: Mapping[str, float], *, replace: bool = True) -> bool:
    """Log a model's test metrics on the run that made it and on its logged model; return whether anything was new.

    With `replace` unset a number that is there already is left alone.
    """
    there = run.data.metrics
    new = {
        name: value for name, value in metrics.items() if there.get(name) != value and (replace or name not in there)
    }
    if not new:
        return False
    outputs = run.outputs.model_outputs if run.outputs else []
    writer = RunWriter(client, run.info.run_id)
    writer.points(packed(new, 0, model_id=outputs[0].model_id if outputs else None))
    note = run.data.tags.get("mlflow.note.content", "")
    note = projection.with_test_result(note, metrics)
    writer.tags({"mlflow.note.content": note})
    # The next lock that asks about this run must see what it has by now.
    there.update(new)
    run.data.tags["mlflow.note.content"] = note
    return True


def packed(
    values: Mapping[str, float], step: int, at: int | None = None, model_id: str | None = None
) -> "list[Metric]":
    """Return numbers as MLflow takes them, of the moment `at` (ms since 1970), or else of now."""
    from mlflow.entities import Metric

    at = at or now()
    return [
        Metric(name, float(value), at, step, model_id=model_id) for name, value in values.items() if name != "epoch"
    ]


def now() -> int:
    """Return the time in ms since 1970."""
    return int(time.time() * 1000)
