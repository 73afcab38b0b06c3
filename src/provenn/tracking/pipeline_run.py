"""The MLflow run of a whole pipeline, under which the runs of its stages are nested."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from provenn.tracking.origin import git_tags, process_tag
from provenn.tracking.store import connect, embedded_uri, experiment_id, tracking_uri
from provenn.tracking.writing import RunWriter

if TYPE_CHECKING:
    from mlflow import MlflowClient

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
        self._client: MlflowClient | None = None
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
        late = self._asked_at is not None and time.monotonic() > self._asked_at + SERVER_SECONDS
        if late:
            self._behind("it did not answer in time")
        return late

    def finish(self, status: str, metrics: Mapping[str, float], tags: Mapping[str, str], description: str) -> None:
        """Close the run as FINISHED, FAILED or KILLED with its numbers, tags and Markdown description."""

        def close(client: "MlflowClient", run_id: str) -> None:
            writer = RunWriter(client, run_id)
            writer.metrics(metrics)
            writer.tags({**tags, "mlflow.note.content": description})
            client.set_terminated(run_id, status)

        self._last(close)

    def discard(self) -> None:
        """Delete the run: nothing ran under it."""
        self._last(lambda client, run_id: client.delete_run(run_id))

    def _open(self) -> None:
        try:
            self._asked_at = time.monotonic() if self._remote else None
            client = connect(self._root, from_stage=True)
            tags = git_tags(self._root) | {"provenn.pipeline": self._name, "provenn.process": process_tag()}
            run = client.create_run(experiment_id(client, "pipeline"), run_name=self._name, tags=tags)
            self._client, self.id = client, run.info.run_id
        except Exception as error:
            self._behind(str(error) or type(error).__name__)

    def _last(self, action: "Callable[[MlflowClient, str], None]") -> None:
        if self._thread is None or (self.warning and self.id is None):
            return
        limit = SERVER_SECONDS if self._remote else EMBEDDED_SECONDS
        self._thread.join(limit)
        client, run_id = self._client, self.id
        if client is None or run_id is None:
            self._behind("it did not answer in time")
            return
        try:
            _within(limit, lambda: action(client, run_id))
        except Exception as error:
            self._behind(str(error) or type(error).__name__)

    def _behind(self, reason: str) -> None:
        reason = reason.splitlines()[0][:200].rstrip(".")
        self.warning = self.warning or (
            f"tracking is behind: {tracking_uri(self._root)} did not take the pipeline's run ({reason}). "
            "The results are not affected; `provenn sync` adds the stages' runs."
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
