"""`provenn sync`: make MLflow agree with dvc.lock, from the stages' files alone."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from provenn.pipeline.contents import Contents
from provenn.pipeline.locks import commits_with_lock, only_one, producers, read_lock, read_lock_of
from provenn.tracking import projection
from provenn.tracking.current import StoredRuns
from provenn.tracking.entry import StageEntry, directory_digest
from provenn.tracking.origin import git_tags, uncommitted_patch
from provenn.tracking.store import connect, project_root, tracking_uri


@dataclass(frozen=True)
class StageReport:
    """What sync found or did for one stage of a lock: `agreed`, `created` or `incomplete`, and what to do about it."""

    stage: str
    state: str
    run_id: str | None
    detail: str = ""
    commit: str | None = None


@dataclass
class SyncReport:
    """What `synchronise` did: a report a stage, and the ids or names of what was mended besides."""

    uri: str
    stages: list[StageReport] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)
    test_results: list[str] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every stage of the working folder's lock has its run."""
        return all(stage.state != "incomplete" or stage.commit for stage in self.stages)

    @property
    def changed(self) -> bool:
        """Whether anything was written to the store."""
        created = any(stage.state == "created" for stage in self.stages)
        mended = (self.killed, self.superseded, self.test_results, self.registered, self.nested)
        return created or any(mended)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return asdict(self) | {"complete": self.complete, "changed": self.changed}

    def table(self) -> Table:
        """Return the short table: every stage that was not in agreement, and what was mended besides."""
        agreed = sum(stage.state == "agreed" for stage in self.stages)
        table = Table(title=f"{agreed} of {len(self.stages)} stages had their run in {self.uri}", title_justify="left")
        for column in ("stage", "what was done", "run"):
            table.add_column(column, overflow="fold")
        for stage in self.stages:
            if stage.state != "agreed":
                name = f"{stage.stage} ({stage.commit[:8]})" if stage.commit else stage.stage
                table.add_row(name, ": ".join(filter(None, (stage.state, stage.detail))), (stage.run_id or "")[:8])
        mended = [("", "KILLED: its process is gone", run_id) for run_id in self.killed]
        mended += [("", "superseded: an equal run stands for the stage", run_id) for run_id in self.superseded]
        mended += [(name, "test results added", "") for name in self.test_results]
        mended += [(name, "registered, or made champion", "") for name in self.registered]
        mended += [(name, "put below the run that judges its seeds", "") for name in self.nested]
        for name, what, run_id in mended:
            table.add_row(name, what, run_id[:8])
        if not table.row_count:
            table.add_row("", "nothing: MLflow agrees with dvc.lock", "")
        return table


def synchronise(root: Path | None = None, *, uri: str | None = None, all_commits: bool = False) -> SyncReport:
    """Give every stage of dvc.lock exactly one current finished run in the store; write nothing that is there already.

    With `all_commits` the locks in git's history come first, as far as their outputs are still in DVC's cache.
    Raises UserError when there is no lock, or when the store cannot be reached or read.
    """
    root = root or project_root()
    lock = read_lock(root)
    with only_one(root, "sync"):
        runs = StoredRuns(connect(root, uri))
        report = SyncReport(uri or tracking_uri(root), killed=runs.end_dead())
        for commit in commits_with_lock(root) if all_commits else ():
            past = read_lock_of(root, commit)
            _project(root, past, runs, report, {"git.commit": commit, "git.dirty": "false"}, commit)
        _project(root, lock, runs, report, git_tags(root))
    return report


def _project(
    root: Path,
    lock: Mapping[str, StageEntry],
    runs: StoredRuns,
    report: SyncReport,
    origin: dict[str, str],
    commit: str | None = None,
) -> None:
    contents = Contents(root, lock)
    committed = read_lock_of(root, origin["git.commit"]) if origin and commit is None else {}
    for entry in lock.values():
        run = runs.current(entry)
        state, detail = "agreed", ""
        if run is None:
            with _with_files(entry, contents) as (found, lost):
                if lost:
                    detail = (
                        f"{', '.join(lost)} is nowhere: {contents.how_to_get(entry.name)}"
                        if not commit
                        else "not in the cache"
                    )
                    report.stages.append(StageReport(entry.name, "incomplete", None, detail, commit))
                    continue
                tags, patch = _origin_of(root, found, committed, origin)
                run, state = runs.restore(found, root, tags, patch), "created"
        report.superseded += runs.supersede_older(entry)
        if runs.complete(run, entry, newest=commit is None):
            report.registered.append(entry.name)
        report.stages.append(StageReport(entry.name, state, run.info.run_id, detail, commit))
    for entry in lock.values():
        if entry.stage in ("evaluate", "evaluate_seeds") and runs.current(entry):
            with _with_files(entry, contents) as (found, lost):
                if not lost:
                    report.test_results += _add_test_results(found, lock, runs, newest=commit is None)
            if commit is None and projection.judged_models(entry):
                report.nested += [
                    training.name for training in _judged(entry, lock).values() if runs.nest(training, entry)
                ]


def _add_test_results(
    evaluation: StageEntry, lock: Mapping[str, StageEntry], runs: StoredRuns, *, newest: bool
) -> list[str]:
    results = projection.test_metrics_of(evaluation)
    return [
        training.name
        for out, training in _judged(evaluation, lock).items()
        if Path(out).stem in results and runs.add_test_results(training, results[Path(out).stem], newest=newest)
    ]


def _judged(evaluation: StageEntry, lock: Mapping[str, StageEntry]) -> dict[str, StageEntry]:
    """Return the trainings whose models an evaluation judged, by the model's path, none when one was trained since."""
    if seeds := projection.judged_models(evaluation):
        trainings = {out: entry for entry in lock.values() for out in entry.outs if out in seeds}
        return trainings if seeds == {out: entry.outs[out] for out, entry in trainings.items()} else {}
    folder = f"models/{projection.task_of(evaluation)}"
    trainings = {out: entry for out, entry in producers(lock, folder).items() if out.startswith(f"{folder}/")}
    files = {out.removeprefix(f"{folder}/"): entry.outs[out] for out, entry in trainings.items()}
    return trainings if directory_digest(files) == evaluation.deps.get(folder) else {}


@contextmanager
def _with_files(entry: StageEntry, contents: Contents) -> Iterator[tuple[StageEntry, list[str]]]:
    """Yield the entry with a root at which the files lie that its run shows, and the paths that are nowhere."""
    shown = {path: value for path, value in entry.outs.items() if Path(path).parts[0] in ("results", "models")}
    if projection.model_path(entry):
        # For the input example of the model.
        folder = f"data/{projection.task_of(entry)}"
        examples = [path for path in (f"{folder}/development", f"{folder}/test") if path in entry.deps]
        shown |= {path: entry.deps[path] for path in examples[:1]}
    if all(contents.is_here(path, value) for path, value in shown.items()):
        yield replace(entry, root=contents.root), []
        return
    with tempfile.TemporaryDirectory() as folder:
        lost = [path for name, value in shown.items() for path in contents.take(name, value, Path(folder))]
        yield replace(entry, root=Path(folder)), lost


def _origin_of(
    root: Path, entry: StageEntry, committed: Mapping[str, StageEntry], origin: dict[str, str]
) -> tuple[dict[str, str], str | None]:
    same = committed.get(entry.name)
    if not origin or (same and (same.key, same.outs) == (entry.key, entry.outs)):
        return origin | ({"git.dirty": "false"} if origin else {}), None
    if origin["git.dirty"] == "false":
        return origin, None
    patch, note = uncommitted_patch(root)
    return origin | {"provenn.patch": note}, patch
