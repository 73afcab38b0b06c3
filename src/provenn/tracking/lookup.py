"""Reading a run back: by id, by the content that it made, or by a registered model."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from provenn.files import UserError
from provenn.tracking.entry import StageEntry
from provenn.tracking.origin import PATCH_FILE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class StoredRun:
    """A run as plain values. `models` are the names of its logged models, `registered` the versions made of them."""

    id: str
    status: str
    tags: dict[str, str]
    parameters: dict[str, str]
    metrics: dict[str, float]
    models: list[str] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)

    @property
    def stage(self) -> str:
        """The stage that it is a run of."""
        return self.tags.get("dvc.stage", "")

    @property
    def deps(self) -> dict[str, str]:
        """The dependencies' digests, by path."""
        return self._tagged("dvc.dep.")

    @property
    def outs(self) -> dict[str, str]:
        """The outputs' digests, by path; none of a run that did not finish."""
        return self._tagged("dvc.out.")

    def _tagged(self, prefix: str) -> dict[str, str]:
        return {name.removeprefix(prefix): value for name, value in self.tags.items() if name.startswith(prefix)}


def run_by_id(client: "MlflowClient", run_id: str) -> StoredRun:
    """Return the run whose id begins so; raise UserError when there is none, or more than one."""
    found = [run for run in _all_runs(client) if run.info.run_id.startswith(run_id)]
    if len(found) != 1:
        what = "no run" if not found else f"{len(found)} runs"
        raise UserError(
            f"{what} with an id that begins with {run_id} in {client.tracking_uri}: "
            "`provenn sync` adds what is missing, `make ui` shows the ids."
        )
    return _stored(client, found[0])


def run_of_model(client: "MlflowClient", uri: str) -> StoredRun:
    """Return the run that logged models:/<name>@<alias> or models:/<name>/<version>; raise UserError when unknown."""
    from mlflow.exceptions import MlflowException

    name, at, alias = uri.removeprefix("models:/").partition("@")
    try:
        if at:
            version = client.get_model_version_by_alias(name, alias)
        else:
            name, _, number = name.partition("/")
            version = client.get_model_version(name, number)
        model = client.get_logged_model((version.source or "").removeprefix("models:/"))
    except MlflowException:
        raise UserError(f"{uri} is not registered in {client.tracking_uri}: run `provenn sync`.") from None
    if not model.source_run_id:
        raise UserError(f"{uri} was registered without a run: `provenn sync` into an empty store makes one.")
    return _stored(client, client.get_run(model.source_run_id))


def run_of_entry(client: "MlflowClient", entry: StageEntry) -> StoredRun | None:
    """Return the finished run that stands for a stage of a lock, if there is one."""
    from provenn.tracking.current import StoredRuns

    run = StoredRuns(client).current(entry)
    return _stored(client, run) if run else None


def patch_of(client: "MlflowClient", run: StoredRun) -> str | None:
    """Return the uncommitted changes that a run carries, or None."""
    if run.tags.get("provenn.patch") != PATCH_FILE:
        return None
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run.id, PATCH_FILE, folder)).read_text("utf-8", "surrogateescape")


def _all_runs(client: "MlflowClient") -> "list[Run]":
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs: list[Run] = []
    token = None
    while token != "":
        page = client.search_runs(experiments, max_results=1000, page_token=token)
        token = page.token or ""
        runs += page
    return runs


def _stored(client: "MlflowClient", run: "Run") -> StoredRun:
    models, registered = [], []
    for output in run.outputs.model_outputs if run.outputs else []:
        model = client.get_logged_model(output.model_id)
        models.append(model.name)
        task = run.data.tags.get("task")
        for version in client.search_model_versions(f"name = 'provenn-{task}'"):
            if version.source == f"models:/{model.model_id}":
                aliases = client.get_registered_model(version.name).aliases
                marks = [f"@{alias}" for alias, number in aliases.items() if str(number) == str(version.version)]
                registered.append(" ".join([f"{version.name} version {version.version}", *marks]))
    data = run.data
    return StoredRun(
        run.info.run_id, run.info.status, dict(data.tags), dict(data.params), dict(data.metrics), models, registered
    )
