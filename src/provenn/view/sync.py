"""`provenn sync`: make MLflow agree with dvc.lock, from the stages' files alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from provenn.addresses import shown_uri
from provenn.contents import Contents
from provenn.cut_lock import refuse_cut_locks
from provenn.entry import Entry, as_read
from provenn.exclusive import only_one
from provenn.files import UserError
from provenn.lock import past_locks, read_lock, recorded, with_results
from provenn.repository import commit_tags, uncommitted_patch
from provenn.view import contents as shown
from provenn.view.champion import crown, explain_versions
from provenn.view.meta import meta_of
from provenn.view.pages import describe, mark_current
from provenn.view.records import Told, find_record, wait_for_writers
from provenn.view.run import PARTIAL, PATCH, RESTORED, log_scores, register_models, view
from provenn.view.runs import StoredRuns
from provenn.view.store import connect, default_experiment, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class StageReport:
    """What sync found or did for one stage of a lock: `agreed`, `created` or `partial`, and what to do about it."""

    stage: str
    state: str
    run_id: str
    detail: str = ""
    commit: str | None = None


@dataclass
class SyncReport:
    """What `synchronise` did: a report a stage, and the ids or names of what was mended besides."""

    uri: str
    stages: list[StageReport] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)
    scored: list[str] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every stage of the working folder's lock has a run that shows all its files."""
        return all(stage.state != "partial" or stage.commit for stage in self.stages)

    @property
    def created(self) -> int:
        """How many runs were made."""
        return sum(stage.state == "created" or bool(stage.detail) for stage in self.stages)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return asdict(self) | {"complete": self.complete}

    def table(self) -> Table:
        """Return the short table: every stage that was not in agreement, and what was mended besides."""
        agreed = sum(stage.state == "agreed" for stage in self.stages)
        table = Table(title=f"{agreed} of {len(self.stages)} stages had their run in {self.uri}", title_justify="left")
        for column in ("stage", "what was done", "run"):
            table.add_column(column, overflow="fold")
        for stage in self.stages:
            if stage.state != "agreed":
                name = f"{stage.stage} ({stage.commit[:8]})" if stage.commit else stage.stage
                table.add_row(name, ": ".join(filter(None, (stage.state, stage.detail))), stage.run_id[:8])
        mended = [("", "KILLED: its process is gone", run_id) for run_id in self.killed]
        mended += [("", "superseded: an equal run stands for the stage", run_id) for run_id in self.superseded]
        mended += [(name, "numbers of another stage added", "") for name in self.scored]
        mended += [(name, "registered, or made champion", "") for name in self.registered]
        mended += [(name, "put below the run that reads its model", "") for name in self.nested]
        for name, what, run_id in mended:
            table.add_row(name, what, run_id[:8])
        if not table.row_count:
            table.add_row("", "nothing: MLflow agrees with dvc.lock", "")
        return table


def synchronise(
    root: Path,
    *,
    uri: str | None = None,
    all_commits: bool = False,
    client: "MlflowClient | None" = None,
    stages: Mapping[str, Entry] | None = None,
) -> SyncReport:
    """Give every stage of the locks exactly one current finished run in the store; write nothing that is there already.

    With `all_commits` the locks in git's history come first. What is nowhere to be found leaves a run partial: it shows
    parameters and what git holds, and is made anew once more is there. Raises UserError when there is no stage with a
    result, when a lock is cut, and when the store cannot be reached or read.
    Whoever has read the definitions of the `stages` already saves the second that it takes.
    """
    refuse_cut_locks(root)
    entries = with_command(read_lock(root) if stages is None else with_results(root, stages))
    for entry in entries.values():
        meta_of(entry)  # a mistake in it is found before anything is written
    wait_for_writers(root)
    with only_one(root, "sync"):
        client = client or connect(root, uri)
        runs = stored_runs(root, client, entries)
        report = SyncReport(shown_uri(uri or tracking_uri(root)), killed=runs.end_dead())
        for commit, past in past_locks(root) if all_commits else ():
            understood = {name: _understood(entry) for name, entry in with_command(past).items()}
            Projection(root, understood, runs, report, commit).project()
        Projection(root, entries, runs, report).project()
    return report


def stored_runs(root: Path, client: "MlflowClient", entries: Mapping[str, Entry]) -> StoredRuns:
    """Return the runs among which those of the entries are: of a store that others share, their experiments' alone."""
    if not all_in_one(client):
        return StoredRuns(client)
    default = default_experiment(root)
    return StoredRuns(client, {meta_of(entry).experiment or default for entry in entries.values()})


def all_in_one(client: "MlflowClient") -> bool:
    """Return whether a store may hold other projects' experiments, which are then not read."""
    return not client.tracking_uri.startswith("sqlite:")


class Projection:
    """The entries of one lock, of a commit or of the working folder, made visible in a store.

    `origin` are the tags of what has no record.
    """

    def __init__(
        self, root: Path, entries: dict[str, Entry], runs: StoredRuns, report: SyncReport, commit: str | None = None
    ) -> None:
        self.root, self.entries, self.runs, self.report, self.commit = root, entries, runs, report, commit
        self.contents = Contents(root, entries, commit)
        outputs = [out for entry in entries.values() for out in entry.outs]
        self.origin = {"git.commit": commit, "git.dirty": "false"} if commit else commit_tags(root, outputs)
        self._outputs = outputs
        folders = {name: entry.folder for name, entry in entries.items()}
        here = self.origin.get("git.commit")
        changed = here and not commit and self.origin["git.dirty"] == "true"
        self._committed = recorded(root, entries, here, folders) if changed else {}

    def project(self) -> None:
        """Make the runs that are missing or may be completed, then what relates them."""
        for entry in self.entries.values():
            self._show(entry)
            self.report.superseded += self.runs.supersede_older(entry)
            if run := self.runs.current(entry):
                self.report.registered += register_models(
                    self.runs.client, run.info.run_id, entry, champion=self.commit is None
                )
        for entry in self.entries.values():
            relate(entry, self.entries, self.runs, self.contents, self.report, newest=self.commit is None)
        if self.commit is None:
            mark_current(self.root, self.entries, self.runs)
            explain_versions(self.entries, self.runs)
            describe(self.root, self.entries, self.runs)

    def _show(self, entry: Entry) -> None:
        run = self.runs.current(entry)
        if run and PARTIAL not in run.data.tags:
            self.report.stages.append(StageReport(entry.name, "agreed", run.info.run_id, commit=self.commit))
            return
        with self.contents.files_of(entry, shown.needed_paths(entry)) as (found, absent):
            detail = f"{', '.join(absent)}: {self.contents.how_to_get(entry.name)}" if absent else ""
            if run is None or run.data.tags[PARTIAL] != f"nowhere: {', '.join(absent)}":
                before, run = run, self._restore(found, absent)
                if before:
                    self.runs.delete(before)
        state = "partial" if absent else "created"
        self.report.stages.append(StageReport(entry.name, state, run.info.run_id, detail, self.commit))

    def _restore(self, entry: Entry, absent: list[str]) -> Any:
        told = find_record(self.root, entry) or self._told(entry)
        told.tags |= {RESTORED: "true"}
        run_id = view(self.runs.client, self.root, entry, told, absent=absent)
        run = self.runs.client.get_run(run_id)
        self.runs.add(run)
        return run

    def _told(self, entry: Entry) -> Told:
        """Return what is known of a result without a record: the commit from which it is."""
        told = Told(tags=dict(self.origin))
        same = self._committed.get(entry.name)
        if same and (same.key, same.result) == (entry.key, entry.result):
            told.tags["git.dirty"] = "false"
        elif told.tags.get("git.dirty") == "true":
            told.patch, note = uncommitted_patch(self.root, self._outputs)
            told.tags |= {PATCH: note} if note else {}
        return told


def relate(
    entry: Entry,
    entries: Mapping[str, Entry],
    runs: StoredRuns,
    contents: Contents,
    report: SyncReport,
    *,
    newest: bool,
) -> None:
    """Put a stage's numbers on the runs that they are about, and the runs that it judges below its own."""
    meta = meta_of(entry)
    if not runs.current(entry) or not (meta.scores or meta.children):
        return
    judged = {
        path: maker
        for folder in dict.fromkeys(meta.scores.values())
        for path, maker in as_read(entry, folder, entries).items()
    }
    said = [out for out in entry.outs if out in meta.scores or (meta.champion and out in entry.metrics)]
    with contents.files_of(entry, said) as (found, _):
        values = shown.scores(found)
        if meta.champion and newest:
            crown(found, judged, runs)
    for path, maker in judged.items():
        run, numbers = runs.current(maker), values.get(str(Path(path).with_suffix("")))
        if run and numbers and log_scores(runs.client, run, numbers, replace=newest):
            report.scored.append(maker.name)
    if newest:
        makers = [maker for path in meta.children for maker in as_read(entry, path, entries).values()]
        report.nested += [maker.name for maker in makers if runs.nest(maker, entry)]


def _understood(entry: Entry) -> Entry:
    """Return an entry of the past, without a declaration that holds a mistake: nobody can mend it any more."""
    try:
        meta_of(entry)
    except UserError:
        return replace(entry, meta={})
    return entry


def with_command(entries: dict[str, Entry]) -> dict[str, Entry]:
    """Return the entries that are steps of a pipeline: a .dvc file has no run."""
    return {name: entry for name, entry in entries.items() if entry.command}
