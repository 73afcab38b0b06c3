"""`track`: one stage, one process, one MLflow run, which never costs the stage its result."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from threadpoolctl import threadpool_limits

from provenn.files import UserError
from provenn.tracking import projection
from provenn.tracking.entry import StageEntry, read_entry
from provenn.tracking.store import connect, experiment_id, project_root, tracking_uri

PARENT_RUN = "PROVENN_PARENT_RUN_ID"
BATCH = 1000  # metrics that MLflow takes in one call


class Run:
    """The MLflow run of a stage. When the tracking server fails it warns once and goes on without."""

    def __init__(self, entry: StageEntry) -> None:
        self.entry = entry
        self.id: str | None = None
        self.behind = False
        self._history_logged = False

    def start(self) -> None:
        """Open the run with all that is known before the work: tags, parameters, data sets."""
        self._attempt(self._start)

    def epoch(self, record: Mapping[str, float]) -> None:
        """Log one record of the history, its `epoch` as the step, in one call."""
        self._history_logged = True
        self._attempt(lambda: self._log_metrics(record, step=int(record["epoch"])))

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log numbers that belong to this run alone and to no output file, such as durations."""
        self._attempt(lambda: self._log_metrics(values))

    def finish(self, outs: dict[str, str]) -> None:
        """Show the stage's files in the run and close it."""
        self.entry.outs.update(outs)
        self._attempt(self._show_files)
        self._attempt(lambda: self._end("FINISHED"))

    def fail(self, status: str, reason: str) -> None:
        """Close the run as FAILED or KILLED with the reason."""
        self._attempt(lambda: self._end(status, reason))

    def _start(self) -> None:
        connect()
        import mlflow

        tags = projection.tags_of(self.entry) | projection.git_tags()
        if os.environ.get(PARENT_RUN):
            tags["mlflow.parentRunId"] = os.environ[PARENT_RUN]
        run = mlflow.start_run(
            experiment_id=experiment_id(projection.experiment_of(self.entry)), run_name=self.entry.name, tags=tags
        )
        self.id = run.info.run_id
        mlflow.log_params(projection.parameters_of(self.entry))

    def _show_files(self) -> None:
        import mlflow

        entry = self.entry
        mlflow.set_tags(projection.tags_of(entry) | {"mlflow.note.content": projection.description_of(entry)})
        self._log_metrics(projection.metrics_of(entry))
        if not self._history_logged:
            for record in projection.history_of(entry):
                self._log_metrics(record, step=int(record["epoch"]))
        self._log_datasets()
        for path in projection.artifacts_of(entry):
            mlflow.log_artifact(str(path), "figures" if path.suffix == ".png" else None)
        self._log_model()
        self._log_test_metrics()

    def _log_model(self) -> None:
        path, task = projection.model_path(self.entry), projection.task_of(self.entry)
        if path is None or task is None:
            return
        from provenn.tracking.models import log_model_file, register_champion

        model_id = log_model_file(path, task)
        if path.endswith(".onnx"):
            register_champion(path, model_id, task)

    def _log_test_metrics(self) -> None:
        # The evaluation's numbers go to the training runs too, so that the table shows them beside the hyperparameters.
        from mlflow import MlflowClient

        client = MlflowClient()
        for path, metrics in projection.test_metrics_of(self.entry).items():
            tag, content = projection.file_digest_tag(path)
            experiment = experiment_id(projection.experiment_of(self.entry))
            runs = client.search_runs([experiment], f"tags.`{tag}` = '{content}'", max_results=1)
            for run in runs:
                self._log_metrics(metrics, run_id=run.info.run_id)

    def _log_datasets(self) -> None:
        import json

        from mlflow import MlflowClient
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = [
            DatasetInput(
                Dataset(name=path, digest=digest, source_type="local", source=json.dumps({"uri": path})),
                [InputTag("mlflow.data.context", context)],
            )
            for path, digest, context in projection.dataset_inputs(self.entry)
        ]
        if inputs:
            MlflowClient().log_inputs(self._active(), inputs)

    def _log_metrics(self, values: Mapping[str, float], step: int = 0, run_id: str | None = None) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, step) for name, value in values.items() if name != "epoch"]
        for first in range(0, len(metrics), BATCH):
            MlflowClient().log_batch(run_id or self._active(), metrics=metrics[first : first + BATCH])

    def _end(self, status: str, reason: str | None = None) -> None:
        import mlflow

        if reason:
            mlflow.set_tag("failure", reason[: projection.TAG_LIMIT])
        mlflow.end_run(status)

    def _active(self) -> str:
        assert self.id is not None
        return self.id

    def _attempt(self, action: Callable[[], None]) -> None:
        if self.behind:
            return
        try:
            action()
        except Exception as error:
            self.behind = True
            where = tracking_uri(project_root())
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            print(
                f"warning: tracking is behind: {where} did not take the run ({reason}). "
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
