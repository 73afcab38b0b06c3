"""Following the record of a whole pipeline and writing the runs of its stages, below one of the pipeline's own."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenn.addresses import shown_uri
from provenn.definitions import read_stages
from provenn.entry import Entry
from provenn.files import UserError
from provenn.lock import with_own_results, with_results
from provenn.view.contents import metrics
from provenn.view.names import clean_name
from provenn.view.records import Follower, keep_record, now, process_is_dead, read_record
from provenn.view.run import NOTE, PROCESS
from provenn.view.store import connect, default_experiment, experiment_id
from provenn.view.sync import synchronise
from provenn.view.writer import TICK_SECONDS, StageRun, Writer, append, killed, origin, say

if TYPE_CHECKING:
    from mlflow import MlflowClient

PIPELINE, PLATFORM = "provenn.pipeline", "numeric.platform"
LOCK_SECONDS = 5.0  # how long a lock may be no whole one, or miss a result that DVC has recorded: it is being written


@dataclass
class Begun:
    """A stage that the pipeline has started: its record, since when (ms), and its run once it tells something."""

    record: Path
    at: int
    run: StageRun | None = None
    has_origin: bool = False


class PipelineWriter(Writer):
    """Follows the record of a pipeline: which stages were begun, with which records, and what became of them."""

    def __init__(self, record: Path, opening: dict[str, Any]) -> None:
        super().__init__(Path(opening["folder"]))
        self.process, self.since, self.name = opening["process"], opening["at"], opening["pipeline"]
        self.platform = opening.get("platform", "")  # of stages that do not say more of theirs
        self.pipeline = Follower(record)
        self.client: MlflowClient | None = None
        self.parent: str | None = None
        self.stages: dict[str, Entry] = {}
        self.origin: dict[str, Any] = {}
        self.begun: dict[str, Begun] = {}

    def run(self) -> int:
        """Write until the pipeline has ended, or its process is gone."""
        self.attempt(self._open)
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
        self.attempt(lambda: self._close(ending))
        if not self.behind:
            self.pipeline.path.unlink()
        return int(self.behind)

    def _open(self) -> None:
        self.stages = self._defined()
        self.origin = origin(self.root, [out for entry in self.stages.values() for out in entry.outs])
        self.client = connect(self.root, patient=False)

    def _defined(self) -> dict[str, Entry]:
        """Return the stages as dvc.yaml defines them; DVC reads the locks for that, too, and may be writing one."""
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                return read_stages(self.root)
            except UserError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(TICK_SECONDS)

    def _follow(self) -> None:
        for name, begun in self.begun.items():
            if begun.run:
                self.attempt(begun.run.follow)
            elif begun.record.is_file() and name in self.stages:
                self._mark(begun)
                self.attempt(lambda name=name, begun=begun: self._begin(name, begun))  # type: ignore[misc]

    def _mark(self, begun: Begun) -> None:
        if not begun.has_origin:
            append(begun.record, self.origin)
            begun.has_origin = True

    def _begin(self, name: str, begun: Begun) -> None:
        assert self.client is not None
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
        entries = self._results({row["settled"] for row in rows if row["ended"] == "FINISHED"} & self.stages.keys())
        for row in rows:
            name = row["settled"]
            begun = self.begun.pop(name)
            entry = entries.get(name) if row["ended"] == "FINISHED" else self.stages.get(name)
            if row["ended"] == "RESTORED" or entry is None:  # `synchronise` shows it
                begun.record.unlink(missing_ok=True)
                continue
            if not begun.record.is_file():  # a stage that says nothing
                append(begun.record, {"stage": name, "at": begun.at})
            self._mark(begun)
            told = read_record(begun.record)
            if not {PLATFORM, "node"} & told.tags.keys():  # of a node only it itself can say
                append(begun.record, {"tags": {PLATFORM: self.platform}})
            if told.ended is None and told.process and row["ended"] == "FAILED":
                append(begun.record, killed(told.process))
            elif told.ended is None or row["ended"] != "FAILED" or told.status == "FINISHED":
                append(begun.record, {"ended": row["ended"], "reason": row["reason"], "at": row["at"]})
            self.attempt(lambda begun=begun, entry=entry: self._finish(begun, entry))  # type: ignore[misc]
            if row["ended"] == "FINISHED":
                keep_record(self.root, begun.record, entry)
            else:
                begun.record.unlink()

    def _results(self, names: set[str]) -> dict[str, Entry]:
        """Return what the locks record of stages that have ended, once all of it is there: DVC may be writing."""
        wanted = {name: self.stages[name] for name in names}
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            found: dict[str, Entry] = {}
            try:
                found = with_own_results(self.root, wanted)
            except Exception as error:  # of a lock that is cut
                if time.monotonic() > deadline:
                    self.fail(error)
            if found.keys() == names or time.monotonic() > deadline:
                return found
            time.sleep(TICK_SECONDS)

    def _finish(self, begun: Begun, entry: Entry) -> None:
        assert self.client is not None
        if begun.run is None:
            begun.run = StageRun(self.client, self.root, entry, begun.record, self._pipeline_run())
        begun.run.finish(entry)

    def _close(self, ending: dict[str, Any]) -> None:
        assert self.client is not None
        if self.parent is not None:
            self._end_pipeline(self.parent, ending)
        # Afterwards: the pipeline's process may be gone, and its run would be taken for one that was killed.
        report = synchronise(self.root, client=self.client, stages=self.stages)
        restored = sum(stage.state == "created" for stage in report.stages)
        if restored:
            say(f"MLflow: {restored} runs were added from the files of restored stages.")

    def _end_pipeline(self, run_id: str, ending: dict[str, Any]) -> None:
        assert self.client is not None
        for name, value in (ending["values"] | self._headlines()).items():
            self.client.log_metric(run_id, clean_name(name), value)
        tags = {NOTE: ending["note"]} | ({"failure": ending["reason"]} if ending["reason"] else {})
        for name, value in tags.items():
            self.client.set_tag(run_id, name, shown_uri(value))
        self.client.set_terminated(run_id, ending["ended"])

    def _headlines(self) -> dict[str, float]:
        """Return the numbers of the metrics that the top of dvc.yaml lists, behind the name of their stage."""
        found: dict[str, float] = {}
        for name, entry in with_results(self.root, self.stages).items():
            numbers, _ = metrics(replace(entry, metrics=entry.headline))
            found |= {f"{name}/{number}": value for number, value in numbers.items()}
        return found
