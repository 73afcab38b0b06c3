"""The MLflow run of a whole pipeline, under which the runs of its stages are nested."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from provenn.tracking import projection
from provenn.tracking.store import connect, embedded_uri, experiment_id, tracking_uri

# How long a server may keep the pipeline waiting. The embedded store is on this machine: what is slow there is its
# first migration, which the stages would wait for too.
SERVER_SECONDS = 4.0
EMBEDDED_SECONDS = 60.0


class PipelineRun:
    """The parent run. It is opened beside the first stage, and never fails or holds up the pipeline.

    `warning` says in one sentence why tracking is behind, once it is.
    """

    def __init__(self, root: Path, name: str = "repro") -> None:
        self.id: str | None = None
        self.warning: str | None = None
        self._root = root
        self._name = name
        self._remote = tracking_uri(root) != embedded_uri(root)
        self._thread: threading.Thread | None = None
        self._asked_at: float | None = None

    def begin(self) -> None:
        """Start to open the run, in the background, unless that was done before."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._open, daemon=True)
            self._thread.start()

    def ready(self) -> bool:
        """Tell whether a stage may start: the run is open, or is not going to be in time."""
        self.begin()
        assert self._thread is not None
        if not self._thread.is_alive():
            return True
        late = self._remote and self._asked_at is not None and time.monotonic() > self._asked_at + SERVER_SECONDS
        if late:
            self._behind("it did not answer in time")
        return late

    def finish(self, status: str, metrics: Mapping[str, float], tags: Mapping[str, str], description: str) -> None:
        """Close the run as FINISHED, FAILED or KILLED with its numbers, tags and Markdown description."""

        def close(run_id: str) -> None:
            from mlflow import MlflowClient
            from mlflow.entities import Metric, RunTag

            now = int(time.time() * 1000)
            client = MlflowClient()
            client.log_batch(
                run_id,
                metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
                tags=[RunTag(name, value) for name, value in (*tags.items(), ("mlflow.note.content", description))],
            )
            client.set_terminated(run_id, status)

        self._last(close)

    def discard(self) -> None:
        """Delete the run: nothing ran under it."""

        def delete(run_id: str) -> None:
            from mlflow import MlflowClient

            MlflowClient().delete_run(run_id)

        self._last(delete)

    def _open(self) -> None:
        try:
            connect(self._root)
            from mlflow import MlflowClient

            self._asked_at = time.monotonic()
            tags = projection.git_tags() | {"provenn.pipeline": self._name, "provenn.pid": str(os.getpid())}
            run = MlflowClient().create_run(experiment_id("pipeline"), run_name=self._name, tags=tags)
            self.id = run.info.run_id
        except Exception as error:
            self._behind(str(error) or type(error).__name__)

    def _last(self, action: Callable[[str], None]) -> None:
        if self._thread is None or (self.warning and self.id is None):
            return
        limit = SERVER_SECONDS if self._remote else EMBEDDED_SECONDS
        self._thread.join(limit)
        run_id = self.id
        if run_id is None:
            self._behind("it did not answer in time")
            return
        try:
            _within(limit, lambda: action(run_id))
        except Exception as error:
            self._behind(str(error) or type(error).__name__)

    def _behind(self, reason: str) -> None:
        self.warning = self.warning or (
            f"tracking is behind: {tracking_uri(self._root)} did not take the pipeline's run "
            f"({reason.splitlines()[0][:200]}). The results are not affected; `provenn sync` adds the stages' runs."
        )


def _within(seconds: float, action: Callable[[], None]) -> None:
    """Run `action`; raise its error, or TimeoutError while it goes on in the background."""
    errors: list[Exception] = []

    def call() -> None:
        try:
            action()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError("it did not answer in time")
    if errors:
        raise errors[0]
