"""The runs of a store against the entries of a lock: which one stands for a stage, and what belongs on it."""

from collections import defaultdict
from collections.abc import Iterable
from socket import gethostname
from typing import TYPE_CHECKING

from provenn.entry import Entry
from provenn.view.records import now, process_is_dead
from provenn.view.run import KEY, PARENT, PARTIAL, PROCESS, RESTORED, RESULT, STAGE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

SUPERSEDED, FAILURE = "provenn.superseded", "failure"
# Should a stage be silent for longer and yet live, its writer gives the run its true status at the end.
LOST_HOURS = 24.0


class StoredRuns:
    """The runs of stages in a store, found by what they are about; of some `experiments`, or of all."""

    def __init__(self, client: "MlflowClient", experiments: Iterable[str] | None = None) -> None:
        self.client = client
        self._of_result: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
        self._running: list[Run] = []
        self._ids: dict[str, Run] = {}
        wanted = None if experiments is None else set(experiments)
        ids = [found.experiment_id for found in _all_experiments(client) if wanted is None or found.name in wanted]
        for run in _all_runs(client, ids):
            self.add(run)

    def current(self, entry: Entry) -> "Run | None":
        """Return the finished run that stands for the entry: same stage, key and outputs; a complete one if there is.

        Of several it is the newest of those that really ran, or the newest restored one.
        """
        return next(iter(self._standing_for(entry)), None)

    def supersede_older(self, entry: Entry) -> list[str]:
        """Mark all but one of the runs that stand for the entry; return their ids.

        They are kept, because each did take place: an equal result is worth knowing. A tag takes them out of the way.
        """
        standing = self._standing_for(entry)
        others = standing[1:]
        for run in others:
            self.client.set_tag(run.info.run_id, SUPERSEDED, standing[0].info.run_id)
            self.remove(run)
        return [run.info.run_id for run in others]

    def end_dead(self) -> list[str]:
        """End the running runs whose process is gone as KILLED, with a tag that says why; return their ids.

        Of a process of this host that is known. One of another host counts as gone when its run, and every run below
        it, has had no new number for LOST_HOURS. A run that names no process is somebody else's.
        """
        ended = []
        for run in self._running:
            reason = self._why_dead(run)
            if reason:
                self.client.set_tag(run.info.run_id, FAILURE, reason)
                self.client.set_terminated(run.info.run_id, "KILLED")
                ended.append(run.info.run_id)
        return ended

    def _why_dead(self, run: "Run") -> str | None:
        process = run.data.tags.get(PROCESS, "")
        host, _, number = process.partition(" ")
        if process_is_dead(process, run.info.start_time or 0):
            return f"process {number} ended without closing its run: it was killed"
        if not number or host == gethostname():
            return None
        below = [other for other in self._ids.values() if other.data.tags.get(PARENT) == run.info.run_id]
        hours = (now() - max(map(_last_sign, [run, *below]))) / 3_600_000
        if hours < LOST_HOURS:
            return None
        return f"nothing was heard of process {number} on {host} for {hours:.0f} hours: the host was lost"

    def with_id(self, beginning: str) -> "list[Run]":
        """Return the runs whose id begins so, whatever their status."""
        return [run for run_id, run in self._ids.items() if run_id.startswith(beginning)]

    def nest(self, child: Entry, parent: Entry) -> bool:
        """Put the run that stands for one stage below that of another; return whether it was elsewhere."""
        run, above = self.current(child), self.current(parent)
        if run is None or above is None or run.data.tags.get(PARENT) == above.info.run_id:
            return False
        self.tag(run, PARENT, above.info.run_id)
        return True

    def delete(self, run: "Run") -> None:
        """Delete a run that another will stand for."""
        self.remove(run)
        del self._ids[run.info.run_id]
        self.client.delete_run(run.info.run_id)

    def tagged(self, tag: str, values: set[str]) -> "list[Run]":
        """Return the runs whose tag has one of the values."""
        return [run for run in self._ids.values() if run.data.tags.get(tag) in values]

    def tag(self, run: "Run", tag: str, value: str) -> None:
        """Give a run a tag, unless it has it."""
        if run.data.tags.get(tag) != value:
            self.client.set_tag(run.info.run_id, tag, value)
            run.data.tags[tag] = value

    def untag(self, run: "Run", tag: str) -> None:
        """Take a tag from a run, if it has it."""
        if run.data.tags.pop(tag, None) is not None:
            self.client.delete_tag(run.info.run_id, tag)

    def add(self, run: "Run") -> None:
        """Take in a run."""
        tags = run.data.tags
        self._ids[run.info.run_id] = run
        if run.info.status == "RUNNING":
            self._running.append(run)
        elif run.info.status == "FINISHED" and STAGE in tags and SUPERSEDED not in tags:
            self._of_result[_about(run)].append(run)

    def remove(self, run: "Run") -> None:
        """Forget a run that no longer stands for anything."""
        self._of_result[_about(run)].remove(run)

    def _standing_for(self, entry: Entry) -> "list[Run]":
        def rank(run: "Run") -> tuple[bool, bool, int]:
            tags = run.data.tags
            return PARTIAL not in tags, RESTORED not in tags, run.info.start_time or 0

        return sorted(self._of_result[entry.name, entry.key, entry.result], key=rank, reverse=True)


def _last_sign(run: "Run") -> int:
    """Return when a run last showed that its process lives (ms since 1970): by its start, its end or its numbers."""
    times = [int(metric.timestamp) for metric in run.data.to_proto().metrics]
    return max([run.info.start_time or 0, run.info.end_time or 0, *times])


def _about(run: "Run") -> tuple[str, str, str]:
    tags = run.data.tags
    return tags.get(STAGE, ""), tags.get(KEY, ""), tags.get(RESULT, "")


def _all_experiments(client: "MlflowClient") -> "Iterable[Experiment]":
    token: str | None = None
    while token != "":
        page = client.search_experiments(page_token=token)
        token = page.token or ""
        yield from page


def _all_runs(client: "MlflowClient", experiments: list[str]) -> "Iterable[Run]":
    # A filter on a tag that only stages' runs have would leave out pipelines' runs that are still running.
    token: str | None = None
    while token != "" and experiments:
        page = client.search_runs(experiments, max_results=1000, page_token=token)
        token = page.token or ""
        yield from page
