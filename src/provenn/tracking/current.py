"""The runs of a store against a lock: which one stands for a stage, and making the one that is missing."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from provenn.tracking.entry import StageEntry
from provenn.tracking.origin import process_is_dead
from provenn.tracking.records import find_record
from provenn.tracking.store import EXPERIMENTS
from provenn.tracking.writing import PARENT, SUPERSEDED, RunWriter, log_test_results

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RESTORED = "provenn.restored"


class StoredRuns:
    """All runs of the project's experiments, read in a search an experiment, found by what they are about."""

    def __init__(self, client: "MlflowClient") -> None:
        self.client = client
        self._of_stage: dict[tuple[str, str], list[Run]] = defaultdict(list)
        self._running: list[Run] = []
        for name in EXPERIMENTS:
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                continue
            token = None
            while token != "":
                page = client.search_runs([experiment.experiment_id], max_results=1000, page_token=token)
                token = page.token or ""
                for run in page:
                    self._add(run)

    def current(self, entry: StageEntry) -> "Run | None":
        """Return the finished run that stands for the entry: same stage, key and outputs."""
        return next(iter(self._standing_for(entry)), None)

    def supersede_older(self, entry: StageEntry) -> list[str]:
        """Mark all but one of the runs that stand for the entry; return their ids.

        They are kept, because each did take place: an equal result is worth knowing. A tag takes them out of the way.
        The one that stays is the newest of those that really ran, or the newest restored one.
        """
        first, *others = self._standing_for(entry)
        for run in others:
            self.client.set_tag(run.info.run_id, SUPERSEDED, "true")
            self.client.set_tag(run.info.run_id, "provenn.superseded_by", first.info.run_id)
            run.data.tags[SUPERSEDED] = "true"
        return [run.info.run_id for run in others]

    def end_dead(self) -> list[str]:
        """Mark the running runs whose process has ended as KILLED, with the reason; return their ids."""
        dead = [run for run in self._running if process_is_dead(run.data.tags.get("provenn.process", ""))]
        for run in dead:
            process = run.data.tags["provenn.process"].split()[1]
            reason = f"process {process} ended without closing its run: it was killed, or the tracking server was away"
            RunWriter(self.client, run.info.run_id).tags({"failure": reason})
            self.client.set_terminated(run.info.run_id, "KILLED")
        return [run.info.run_id for run in dead]

    def restore(self, entry: StageEntry, root: Path, origin: Mapping[str, str], patch: str | None) -> "Run":
        """Make the run of an entry from its files and, where there is one, from the record of when it took place.

        Without a record, `origin` says from which commit the entry is, and `patch` what was changed in it.
        """
        record = find_record(root, entry)
        tags = dict(record.tags) if record else dict(origin)
        patch = record.patch if record else patch
        if "git.commit" in tags:
            tags["mlflow.source.git.commit"] = tags["git.commit"]
        writer = RunWriter.create(self.client, entry, tags | {RESTORED: "true"}, record.started if record else None)
        if patch:
            writer.patch(patch)
        writer.history(entry)
        writer.files(entry, record.metrics if record else {})
        writer.finish(ended=record.ended if record else None)
        run = self.client.get_run(writer.run_id)
        self._add(run)
        return run

    def complete(self, run: "Run", entry: StageEntry, *, newest: bool) -> bool:
        """Register the run's exported model if it is not; `newest` makes it the champion. Return whether it was new."""
        return RunWriter(self.client, run.info.run_id).register(entry, alias=newest)

    def add_test_results(self, entry: StageEntry, metrics: Mapping[str, float], *, newest: bool) -> bool:
        """Log test metrics on the run that stands for a training; return whether any was new."""
        run = self.current(entry)
        return run is not None and log_test_results(self.client, run, metrics, replace=newest)

    def nest(self, child: StageEntry, parent: StageEntry) -> bool:
        """Put the run that stands for a training below the one that judges it; return whether it was elsewhere."""
        run, above = self.current(child), self.current(parent)
        if run is None or above is None or run.data.tags.get(PARENT) == above.info.run_id:
            return False
        self.client.set_tag(run.info.run_id, PARENT, above.info.run_id)
        run.data.tags[PARENT] = above.info.run_id
        return True

    def _standing_for(self, entry: StageEntry) -> "list[Run]":
        outs = {f"dvc.out.{path}": digest for path, digest in entry.outs.items()}
        runs = [run for run in self._of_stage[entry.name, entry.key] if outs.items() <= run.data.tags.items()]
        return sorted(runs, key=lambda run: (RESTORED not in run.data.tags, run.info.start_time), reverse=True)

    def _add(self, run: "Run") -> None:
        tags = run.data.tags
        if run.info.status == "RUNNING":
            self._running.append(run)
        elif run.info.status == "FINISHED" and "dvc.key" in tags and SUPERSEDED not in tags:
            self._of_stage[tags["dvc.stage"], tags["dvc.key"]].append(run)
