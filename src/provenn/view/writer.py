"""Following records and writing their runs, so that curves are live and MLflow costs the stages' work no time.

One process does it for a pipeline that `provenn repro` runs; under a plain `dvc repro` each stage that tracks itself
starts one. Both end with what they follow, or when that has died. Tracking never costs a result: what the store does
not take is said once, and `provenn sync` adds it later.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenn.contents import Contents
from provenn.files import UserError
from provenn.lock import Entry, one_line, read_lock, read_running, read_stages
from provenn.record import repository_root
from provenn.repository import commit_tags, find_root, uncommitted_patch
from provenn.view.contents import metrics
from provenn.view.meta import meta_of
from provenn.view.records import Follower, keep_record, now, process_is_dead, read_record
from provenn.view.run import (
    NOTE,
    PATCH,
    PROCESS,
    begin,
    log_points,
    register_models,
    view,
)
from provenn.view.runs import StoredRuns
from provenn.view.store import connect, default_experiment, experiment_id, tracking_uri
from provenn.view.sync import SyncReport, all_in_one, relate, synchronise

if TYPE_CHECKING:
    from mlflow import MlflowClient

TICK_SECONDS = 0.1
PIPELINE = "provenn.pipeline"


def write_runs(record: Path) -> int:
    """Follow a record until it ends, and write its runs; return the exit code of the process."""
    rows = Follower(record).rows()
    # Ctrl-C is for the stages: what becomes of their runs, the records say.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if rows and "pipeline" in rows[0]:
        return PipelineWriter(record, rows[0]).run()
    return write_stage(record)


class StageRun:
    """The run of one stage that is at work."""

    def __init__(self, client: "MlflowClient", home: Path, entry: Entry, record: Path, parent: str | None) -> None:
        self.client, self.home, self.entry, self.record, self.parent = client, home, entry, record, parent
        self.follower = Follower(record)
        self.follower.follow()
        self.run_id = begin(client, home, entry, self.follower.told, parent)

    def follow(self) -> None:
        """Write the points that are new."""
        points = self.follower.follow()
        if points:
            log_points(self.client, self.run_id, points)

    def finish(self, entry: Entry) -> None:
        """Write all that there is to show, and close the run."""
        self.follow()
        view(self.client, self.home, entry, self.follower.told, run_id=self.run_id, parent=self.parent)


def write_stage(record: Path) -> int:
    """Write the run of a stage that a plain `dvc repro` runs; the stage waits for this process at its end."""
    follower = Follower(record)
    follower.follow()
    told, home = follower.told, repository_root()
    run: StageRun | None = None
    try:
        workspace = find_root(Path(told.folder))
        entry, digest_outputs = read_running(workspace, _address(workspace, told.stage, Path(told.folder)))
        _add_origin(record, workspace, list(entry.outs))
    except UserError as error:
        _warn(home, error)
        return 1
    try:
        run = StageRun(connect(home, patient=False), home, entry, record, os.environ.get("PROVENN_PARENT_RUN_ID"))
    except Exception as error:
        _warn(home, error)
    since = told.started or now()
    while follower.told.ended is None and not process_is_dead(told.process, since):
        time.sleep(TICK_SECONDS)
        follower.follow()
        if run:
            run.follow()
    follower.follow()
    if follower.told.ended is None:
        _append(record, _killed(told.process))
    if follower.told.status == "FINISHED":
        entry = replace(entry, outs=digest_outputs())
    try:
        if run:
            run.finish(entry)
            _relate_one(run, entry, workspace)
    except Exception as error:
        _warn(home, error)
    if follower.told.status == "FINISHED":
        keep_record(home, record, entry)
    else:
        record.unlink()
    return 0


@dataclass
class Begun:
    """A stage that the pipeline has started: its record, since when (ms), and its run once it tells something."""

    record: Path
    at: int
    run: StageRun | None = None


class PipelineWriter:
    """Follows the record of a pipeline: which stages were begun, with which records, and what became of them."""

    def __init__(self, record: Path, opening: dict[str, Any]) -> None:
        self.root = Path(opening["folder"])
        self.process, self.since, self.name = opening["process"], opening["at"], opening["pipeline"]
        self.pipeline = Follower(record)
        self.client: MlflowClient | None = None
        self.parent: str | None = None
        self.stages: dict[str, Entry] = {}
        self.origin: dict[str, Any] = {}
        self.begun: dict[str, Begun] = {}
        self.behind = False

    def run(self) -> int:
        """Write until the pipeline has ended, or its process is gone."""
        self._attempt(self._open)
        ending: dict[str, Any] | None = None
        while ending is None:
            # Looked at first: what it wrote before it died is read once more.
            dead = process_is_dead(self.process, self.since)
            rows = self.pipeline.rows()
            for row in rows:
                if "begun" in row:
                    self.begun[row["begun"]] = Begun(Path(row["record"]), row["at"])
            self._follow()
            self._settle([row for row in rows if "settled" in row])
            ending = next((row for row in rows if "ended" in row and "settled" not in row), None)
            if ending is None and dead:
                ending = {"ended": "KILLED", "reason": "`provenn repro` was killed", "values": {}, "note": ""}
            time.sleep(TICK_SECONDS)
        left = [{"settled": name, "ended": "KILLED", "reason": ending["reason"], "at": now()} for name in self.begun]
        self._settle(left)
        self._attempt(lambda: self._close(ending))
        if not self.behind:
            self.pipeline.path.unlink()
        return int(self.behind)

    def _open(self) -> None:
        self.stages = read_stages(self.root)
        self.origin = _origin(self.root, [out for entry in self.stages.values() for out in entry.outs])
        self.client = connect(self.root, patient=False)

    def _follow(self) -> None:
        for name, begun in self.begun.items():
            if begun.run:
                self._attempt(begun.run.follow)
            elif begun.record.is_file() and name in self.stages:
                self._attempt(lambda name=name, begun=begun: self._begin(name, begun))  # type: ignore[misc]

    def _begin(self, name: str, begun: Begun) -> None:
        assert self.client is not None
        _append(begun.record, self.origin)
        begun.run = StageRun(self.client, self.root, self.stages[name], begun.record, self._pipeline_run())

    def _pipeline_run(self) -> str:
        assert self.client is not None
        if self.parent is None:
            tags = self.origin["tags"] | {PIPELINE: self.name, PROCESS: self.process}
            experiment = experiment_id(self.client, default_experiment(self.root), self.root)
            self.parent = self.client.create_run(experiment, self.since, tags, self.name).info.run_id
        return self.parent

    def _settle(self, rows: list[dict[str, Any]]) -> None:
        """Finish the runs of the stages that have ended; one look into the locks for all of them."""
        if not rows:
            return
        entries: dict[str, Entry] = {}
        try:
            entries = read_lock(self.root)
        except UserError as error:
            self._fail(error)
        for row in rows:
            name = row["settled"]
            begun = self.begun.pop(name)
            entry = entries.get(name) if row["ended"] == "FINISHED" else self.stages.get(name)
            if row["ended"] == "RESTORED" or entry is None:  # `synchronise` shows it
                begun.record.unlink(missing_ok=True)
                continue
            if not begun.record.is_file():  # a stage that says nothing
                _append(begun.record, {"stage": name, "at": begun.at} | self.origin)
            told = read_record(begun.record)
            if told.ended is None and told.process and row["ended"] == "FAILED":
                _append(begun.record, _killed(told.process))
            elif told.ended is None or (row["ended"] != "FAILED" or told.status == "FINISHED"):
                _append(begun.record, {"ended": row["ended"], "reason": row["reason"], "at": row["at"]})
            self._attempt(lambda begun=begun, entry=entry: self._finish(begun, entry))  # type: ignore[misc]
            if row["ended"] == "FINISHED":
                keep_record(self.root, begun.record, entry)
            else:
                begun.record.unlink()

    def _finish(self, begun: Begun, entry: Entry) -> None:
        assert self.client is not None
        if begun.run is None:
            begun.run = StageRun(self.client, self.root, entry, begun.record, self._pipeline_run())
        begun.run.finish(entry)

    def _close(self, ending: dict[str, Any]) -> None:
        assert self.client is not None
        report = synchronise(self.root, client=self.client)
        restored = sum(stage.state == "created" for stage in report.stages)
        if restored:
            print(f"MLflow: {restored} runs were added from the files of restored stages.", flush=True)
        if self.parent is None:
            return
        for name, value in (ending["values"] | _headlines(self.root)).items():
            self.client.log_metric(self.parent, name, value)
        tags = {NOTE: ending["note"]} | ({"failure": ending["reason"]} if ending["reason"] else {})
        for name, value in tags.items():
            self.client.set_tag(self.parent, name, value)
        self.client.set_terminated(self.parent, ending["ended"])

    def _attempt(self, action: Callable[[], None]) -> None:
        if self.behind:
            return
        try:
            action()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not self.behind:
            self.behind = True
            _warn(self.root, error)


def _headlines(root: Path) -> dict[str, float]:
    """Return the numbers of the metrics that the top of dvc.yaml lists, behind the name of the stage that made them."""
    found: dict[str, float] = {}
    for name, entry in read_lock(root).items():
        numbers, _ = metrics(replace(entry, metrics=entry.headline))
        found |= {f"{name}/{number}": value for number, value in numbers.items()}
    return found


def _relate_one(run: StageRun, entry: Entry, workspace: Path) -> None:
    register_models(run.client, run.run_id, entry, champion=True)
    meta = meta_of(entry)
    if meta.scores or meta.children:
        entries = read_lock(workspace) | {entry.name: entry}
        wanted = {meta_of(stage).experiment or default_experiment(run.home) for stage in entries.values()}
        runs = StoredRuns(run.client, wanted if all_in_one(run.client) else None)
        relate(entry, entries, runs, Contents(workspace, entries), SyncReport(""), newest=True)


def _origin(root: Path, outputs: list[str]) -> dict[str, Any]:
    """Return the row of a record that says from which commit a run is, and what was changed in it."""
    tags = commit_tags(root, outputs)
    if tags.get("git.dirty") != "true":
        return {"tags": tags}
    patch, note = uncommitted_patch(root, outputs)
    return {"tags": tags | ({PATCH: note} if note else {}), "patch": patch}


def _add_origin(record: Path, root: Path, outputs: list[str]) -> None:
    stages = read_stages(root)
    _append(record, _origin(root, outputs + [out for entry in stages.values() for out in entry.outs]))


def _killed(process: str) -> dict[str, Any]:
    """Return the row for a process that is gone and has not said how it ended."""
    return {"ended": "KILLED", "reason": f"process {process.split()[-1]} ended without closing its run: it was killed"}


def _append(record: Path, row: dict[str, Any]) -> None:
    with record.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"at": now(), **row}) + "\n")


def _address(workspace: Path, stage: str, folder: Path) -> str:
    """Return a stage's name seen from the root. DVC gives it as seen from where the user called it."""
    if ":" in stage or (workspace / "dvc.yaml").is_file():
        return stage
    inside = next(place for place in (folder, *folder.parents) if (place / "dvc.yaml").is_file())
    return f"{inside.relative_to(workspace).as_posix()}/dvc.yaml:{stage}"


def _warn(root: Path, error: Exception) -> None:
    print(
        f"warning: tracking is behind: {tracking_uri(root)} did not take the run ({one_line(error)[:200]}). "
        "The result is not affected; `provenn sync` adds the run later.",
        file=sys.stderr,
        flush=True,
    )
