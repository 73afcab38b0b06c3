"""Reading a run back: by id, by the stage's result that it shows, or by a registered model."""

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenn.entry import Entry
from provenn.files import UserError
from provenn.view.models import logged_models
from provenn.view.run import ENTRY_FILE, KEY, PATCH_FILE, RESULT, STAGE
from provenn.view.runs import StoredRuns

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
        return self.tags.get(STAGE, "")

    def stands_for(self, entry: Entry) -> bool:
        """Return whether it shows this result."""
        return (self.stage, self.tags.get(KEY), self.tags.get(RESULT)) == (entry.name, entry.key, entry.result)


def run_by_id(client: "MlflowClient", run_id: str) -> StoredRun:
    """Return the run whose id begins so; raise UserError when there is none, or more than one."""
    found = StoredRuns(client).with_id(run_id)
    if len(found) != 1:
        what = "no run" if not found else f"{len(found)} runs"
        raise UserError(
            f"{what} with an id that begins with {run_id} in {client.tracking_uri}: "
            "`provenn sync` adds what is missing, `provenn ui` shows the ids."
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
    except MlflowException:
        raise UserError(f"{uri} is not registered in {client.tracking_uri}: run `provenn sync`.") from None
    if not version.run_id:
        raise UserError(f"{uri} was registered without a run: `provenn sync` into an empty store makes one.")
    return _stored(client, client.get_run(version.run_id))


def run_of_entry(client: "MlflowClient", entry: Entry) -> StoredRun | None:
    """Return the finished run that stands for a stage of a lock, if there is one."""
    run = StoredRuns(client).current(entry)
    return _stored(client, run) if run else None


def entry_of_run(client: "MlflowClient", run: StoredRun) -> Entry | None:
    """Return the stage as the run itself keeps it; None when it has lost that file."""
    text = _artifact(client, run, ENTRY_FILE)
    if text is None:
        return None
    kept: dict[str, Any] = json.loads(text)
    outs = {path: value for path, value in kept["outs"].items() if value}
    return Entry(kept["stage"], kept["command"], kept["deps"], kept["params"], outs)


def patch_of(client: "MlflowClient", run: StoredRun) -> str | None:
    """Return the uncommitted changes that a run carries, or None."""
    return _artifact(client, run, PATCH_FILE)


def _artifact(client: "MlflowClient", run: StoredRun, path: str) -> str | None:
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            return Path(client.download_artifacts(run.id, path, folder)).read_text("utf-8", "surrogateescape")
        except (OSError, MlflowException):
            return None


def _stored(client: "MlflowClient", run: "Run") -> StoredRun:
    models, registered = [], []
    for model in logged_models(client, run):
        models.append(model.name)
        for version in client.search_model_versions(f"source_path = 'models:/{model.model_id}'"):
            aliases = client.get_registered_model(version.name).aliases
            marks = [f"@{alias}" for alias, number in aliases.items() if str(number) == str(version.version)]
            registered.append(" ".join([f"{version.name} version {version.version}", *marks]))
    data = run.data
    return StoredRun(
        run.info.run_id, run.info.status, dict(data.tags), dict(data.params), dict(data.metrics), models, registered
    )
