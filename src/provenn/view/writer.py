"""Following the record of a stage and writing its run, so that curves are live and MLflow costs the work no time.

Under a plain `dvc repro` each stage that tracks itself starts one process that does this. It ends with the stage, or
when that has died. Tracking never costs a result: what the store does not take is said once, and `provenn sync` adds
it later.
"""

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from provenn.addresses import shown_uri
from provenn.contents import Contents
from provenn.definitions import address, read_running
from provenn.entry import Entry
from provenn.files import UserError, one_line
from provenn.lock import read_lock, with_results
from provenn.record import repository_root
from provenn.repository import commit_tags, find_root, uncommitted_patch
from provenn.view.experiments import parent_in_experiment
from provenn.view.meta import meta_of
from provenn.view.records import Follower, keep_record, now, process_is_dead
from provenn.view.run import PATCH, begin, log_points, register_models, view
from provenn.view.runs import StoredRuns
from provenn.view.store import connect, default_experiment, experiment_id, tracking_uri
from provenn.view.sync import SyncReport, all_in_one, relate

if TYPE_CHECKING:
    from mlflow import MlflowClient

TICK_SECONDS = 0.1
LOCK_SECONDS = 120.0  # how long DVC may take to save what a stage made


class Writer:
    """Does what the store is asked for as long as it answers; the first failure is told, and the rest left to sync."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.behind = False

    def attempt(self, action: Callable[[], None]) -> None:
        """Do something with the store, unless it has failed before."""
        if self.behind:
            return
        try:
            action()
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Give up; tell the user once."""
        if not self.behind:
            self.behind = True
            uri = shown_uri(tracking_uri(self.root))
            say(
                f"warning: tracking is behind: {uri} did not take the run ({one_line(error)[:400]}). "
                "The result is not affected; `provenn sync` adds the run later."
            )


class StageRun:
    """The run of one stage that is at work."""

    def __init__(
        self, client: "MlflowClient", root: Path, entry: Entry, record: Path, parent: str | None = None
    ) -> None:
        self.client, self.root = client, root
        self.follower = Follower(record)
        self.follower.follow()
        self.run_id = begin(client, root, entry, self.follower.told, parent)
        self._logged = 0

    def follow(self) -> None:
        """Write the points that are new."""
        self.follower.follow()
        points = self.follower.told.points[self._logged :]
        if points:
            log_points(self.client, self.run_id, points)
            self._logged += len(points)

    def finish(self, entry: Entry) -> None:
        """Write all that there is to show, and close the run."""
        self.follow()
        view(self.client, self.root, entry, self.follower.told, run_id=self.run_id, logged=self._logged)


class StageWriter(Writer):
    """Writes the run of a stage that a plain `dvc repro` runs; the stage waits for this process at its end."""

    def __init__(self, record: Path) -> None:
        super().__init__(repository_root())
        self.record = record
        self.follower = Follower(record)
        self.follower.follow()
        told = self.follower.told
        append(record, {"caller": str(_callers_folder(told.process, Path(told.folder)))})
        self.stage_run: StageRun | None = None

    def run(self) -> int:
        """Write until the stage has ended, or its process is gone."""
        self.follower.follow()
        told = self.follower.told
        try:
            workspace = find_root(Path(told.folder))
            name = address(told.stage, workspace, _inside(workspace, Path(told.caller)))
            stages, digest_outputs = read_running(workspace, name)
        except UserError as error:
            self.fail(error)
            self.record.unlink()
            return 1
        entry = stages[name]
        append(self.record, origin(workspace, [out for stage in stages.values() for out in stage.outs]))
        self.attempt(lambda: self._begin(entry))
        while told.ended is None and not process_is_dead(told.process, told.started or now()):
            time.sleep(TICK_SECONDS)
            self.follower.follow()
            if self.stage_run:
                self.attempt(self.stage_run.follow)
        self.follower.follow()
        if told.ended is None:
            append(self.record, killed(told.process))
        if told.status == "FINISHED" and workspace != self.root:
            # A temporary copy: the stage waits, and DVC takes everything away once it has ended.
            entry = replace(entry, outs=digest_outputs())
        elif told.status == "FINISHED":
            entry = self._as_recorded(entry)
        self.follower.follow()
        self.attempt(lambda: self._finish(entry, workspace))
        if told.status == "FINISHED":
            keep_record(self.root, self.record, entry)
        else:
            self.record.unlink()
        return int(self.behind)

    def _as_recorded(self, entry: Entry) -> Entry:
        """Return the stage as dvc.lock has it once DVC has saved what it made; it FAILED when that does not come."""
        contents, deadline = Contents(self.root, {}), time.monotonic() + LOCK_SECONDS
        while time.monotonic() < deadline:
            with suppress(UserError):  # DVC is writing
                found = with_results(self.root, {entry.name: entry}).get(entry.name)
                # After a forced run with another result the lock has the earlier one for a moment.
                same = found and found.key == entry.key
                if found and same and all(contents.is_here(path, value) for path, value in found.outs.items()):
                    return found
            time.sleep(TICK_SECONDS)
        append(self.record, {"ended": "FAILED", "reason": "DVC did not save what the stage made"})
        return entry

    def _begin(self, entry: Entry) -> None:
        client = connect(self.root, patient=False)
        place = experiment_id(client, meta_of(entry).experiment or default_experiment(self.root), self.root)
        parent = parent_in_experiment(self.root, client, place)
        self.stage_run = StageRun(client, self.root, entry, self.record, parent)

    def _finish(self, entry: Entry, workspace: Path) -> None:
        assert self.stage_run
        client = self.stage_run.client
        self.stage_run.finish(entry)
        if self.follower.told.status != "FINISHED":
            return
        register_models(client, self.stage_run.run_id, entry, champion=True)
        meta = meta_of(entry)
        if meta.scores or meta.children:
            entries = read_lock(workspace) | {entry.name: entry}
            wanted = {meta_of(stage).experiment or default_experiment(self.root) for stage in entries.values()}
            runs = StoredRuns(client, wanted if all_in_one(client) else None)
            relate(entry, entries, runs, Contents(workspace, entries), SyncReport(""), newest=True)


def say(line: str) -> None:
    """Tell whoever started this process, unless it has gone."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def origin(root: Path, outputs: list[str]) -> dict[str, Any]:
    """Return the row of a record that says from which commit a run is, and what was changed in it."""
    tags = commit_tags(root, outputs)
    if tags.get("git.dirty") != "true":
        return {"tags": tags}
    patch, note = uncommitted_patch(root, outputs)
    return {"tags": tags | ({PATCH: note} if note else {}), "patch": patch}


def killed(process: str) -> dict[str, Any]:
    """Return the row of a record whose process is gone without having said how it ended."""
    return {"ended": "KILLED", "reason": f"process {process.split()[-1]} ended without closing its run: it was killed"}


def append(record: Path, row: dict[str, Any]) -> None:
    """Append a row to a record, as of now unless it says when."""
    with record.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"at": now(), **row}) + "\n")


def _inside(workspace: Path, folder: Path) -> Path:
    return folder if folder.is_relative_to(workspace) else workspace


def _callers_folder(process: str, folder: Path) -> Path:
    """Return the folder in which DVC was called, as seen from which it names the stage that is this process.

    DVC is the nearest process above that does not itself belong to a stage.
    """
    with suppress(psutil.Error):
        for parent in psutil.Process(int(process.split()[-1])).parents():
            if "DVC_STAGE" not in parent.environ():
                return Path(parent.cwd())
    return folder
