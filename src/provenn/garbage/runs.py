"""MLflow's runs: those of stages that show what nothing needs, and their removal."""

import contextlib
import io
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from provenn.entry import Entry
from provenn.garbage.needed import Needed
from provenn.lock import read_lock
from provenn.view.champion import CHAMPION
from provenn.view.lookup import StoredRun, entry_of_run
from provenn.view.models import DIGEST
from provenn.view.pipeline_writer import PIPELINE
from provenn.view.records import KEPT, record_name
from provenn.view.run import KEY, PARENT, RESULT, STAGE
from provenn.view.store import ARTIFACTS, DATABASE, connect, store_folder, tracking_uri
from provenn.view.sync import stored_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

PIN = "provenn.keep"  # a tag, of any value, that somebody sets on a run that shall stay


class Store:
    """A store of MLflow as far as this repository may clean it.

    Of one that is not below the repository, others may use it: only runs whose record lies here, so that they were made
    here, are taken for this repository's, and a registered version stays with its run: to delete one is final.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = tracking_uri(root)
        self.database = store_folder(root) / DATABASE
        self.embedded = self.uri == f"sqlite:///{self.database}"

    @property
    def exists(self) -> bool:
        """Whether there is anything to look at: a repository's own store may not have been made yet."""
        return not self.embedded or self.database.is_file()

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client of it; UserError when it does not answer."""
        return connect(self.root, self.uri)

    def unneeded(self, needed: Needed) -> "list[Run]":
        """Return the runs that nothing needs; the outputs of runs that somebody holds on to are added to `needed`."""
        runs = {run.info.run_id: run for run in stored_runs(self.root, self.client, read_lock(self.root)).with_id("")}
        held = [run for run in runs.values() if self._is_held(run)]
        for run in held:
            entry = self._entry(run)
            needed.digests.update(entry.outs.values() if entry else ())
        kept = {run.info.run_id for run in runs.values() if run in held or self._is_kept(run, needed)}
        for run_id in list(kept):  # and the runs below which they are shown
            while (parent := runs[run_id].data.tags.get(PARENT)) in runs and parent not in kept:
                kept.add(parent)
                run_id = parent
        return [run for run_id, run in runs.items() if run_id not in kept]

    def remove(self, runs: "Iterable[Run]") -> None:
        """Mark runs and their models as deleted, and take away the versions that Provenn itself registered of them."""
        from mlflow.exceptions import MlflowException

        for run in runs:
            for version in self._versions_of(run):
                self.client.delete_model_version(version.name, version.version)
            for model_id in models_of(run):  # before the run, by which they are found
                try:
                    self.client.delete_logged_model(model_id)
                except MlflowException as error:
                    if error.error_code != "RESOURCE_DOES_NOT_EXIST":  # somebody, or an earlier gc, was faster
                        raise
            self.client.delete_run(run.info.run_id)

    def deleted(self) -> list[str]:
        """Return the runs and models of the embedded store that are marked as deleted."""
        store = self.client._tracking_client.store
        return [*store._get_deleted_runs(), *store._get_deleted_logged_models()]

    def size(self, ids: Iterable[str]) -> int:
        """Return the bytes of the files of runs and models of the embedded store, deleted ones included."""
        wanted, files = set(ids), (self.database.parent / ARTIFACTS).rglob("*")
        return sum(file.stat().st_size for file in files if not wanted.isdisjoint(file.parts) and file.is_file())

    def purge(self) -> None:
        """Delete what is marked as deleted for good, as `mlflow gc` does, and give the database's space back."""
        from mlflow.cli import gc

        arguments = ["--backend-store-uri", self.uri, "--tracking-uri", self.uri]
        with contextlib.redirect_stdout(io.StringIO()), gc.make_context("gc", arguments) as context:
            gc.invoke(context)
        for folder in sorted((self.database.parent / ARTIFACTS).glob("**/"), reverse=True):
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()
        with closing(sqlite3.connect(self.database, timeout=60)) as connection:
            connection.execute("VACUUM")

    @cached_property
    def _versions(self) -> "list[ModelVersion]":
        found: list[ModelVersion] = []
        token: str | None = None
        while token != "":
            page = self.client.search_model_versions(page_token=token)
            token = page.token or ""
            found += page
        return found

    @cached_property
    def _aliased(self) -> set[tuple[str, str]]:
        """The versions that have an alias, which a search for versions does not tell."""
        names = {found.name for found in self._versions}
        models = [self.client.get_registered_model(name) for name in names]
        return {(model.name, str(version)) for model in models for version in model.aliases.values()}

    def _versions_of(self, run: "Run") -> "list[ModelVersion]":
        sources = {f"models:/{model_id}" for model_id in models_of(run)}
        return [found for found in self._versions if found.run_id == run.info.run_id or found.source in sources]

    def _is_held(self, run: "Run") -> bool:
        """Return whether somebody holds on to a run: by PIN, or by a registered version that is not Provenn's alone."""
        return PIN in run.data.tags or any(
            (found.name, str(found.version)) in self._aliased
            or (CHAMPION not in found.tags and (found.description or found.tags.keys() != {DIGEST}))
            for found in self._versions_of(run)
        )

    def _is_kept(self, run: "Run", needed: Needed) -> bool:
        tags = run.data.tags
        if (STAGE not in tags and PIPELINE not in tags) or run.info.status in ("RUNNING", "SCHEDULED"):
            return True
        if not self.embedded and (not (self.root / record_of(run)).is_file() or self._versions_of(run)):
            return True
        if KEY not in tags:  # it failed, or it is a pipeline's
            return False
        entry = self._entry(run)  # by digests: neither locks nor keys tell in which folder a stage works
        return entry is None or {*entry.deps.values(), *entry.outs.values()} - {""} <= needed.digests

    def _entry(self, run: "Run") -> Entry | None:
        data = run.data
        return entry_of_run(self.client, StoredRun(run.info.run_id, "", data.tags, data.params, data.metrics))


def record_of(run: "Run") -> Path:
    """Return where the record of a run's result is kept, below the repository's root."""
    return KEPT / record_name(run.data.tags.get(KEY, ""), run.data.tags.get(RESULT, ""))


def models_of(run: "Run") -> list[str]:
    """Return the ids of the models that a run logged."""
    return [output.model_id for output in run.outputs.model_outputs] if run.outputs else []
