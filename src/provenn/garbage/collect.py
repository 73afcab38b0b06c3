"""`provenn gc`: find what nothing needs, show it, and remove it in an order that may be interrupted anywhere."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.filesize import decimal
from rich.table import Table

from provenn.addresses import shown_uri
from provenn.definitions import open_dvc, read_stages
from provenn.exclusive import only_one
from provenn.files import UserError
from provenn.garbage.cache import remove_runs, unneeded_objects, unneeded_runs
from provenn.garbage.needed import Needed, find_needed
from provenn.garbage.runs import Store, models_of, record_of
from provenn.repository import git_root
from provenn.repro.damaged import ASIDE
from provenn.repro.dvc_locks import repository_locked
from provenn.repro.work import log_path
from provenn.view.records import wait_for_writers


@dataclass(frozen=True)
class Garbage:
    """Things of one kind that nothing needs: paths or ids, their bytes where that is known, and how they go."""

    kind: str
    items: list[str]
    size: int | None
    remove: Callable[[], None]


@dataclass
class Report:
    """What was found, whether it was removed, and what else the user should know."""

    removed: bool
    garbage: list[Garbage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The bytes of all files; what MLflow's database gives back besides is known afterwards alone."""
        return sum(found.size or 0 for found in self.garbage)

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        if not any(found.items for found in self.garbage):
            return "Nothing can be removed: everything is needed."
        if self.removed:
            return f"Removed: {decimal(self.size)}."
        return f"Nothing was removed: `provenn gc --force` removes this, {decimal(self.size)}, for good."

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON; `bytes` is null where a server alone knows."""
        kinds = [
            {"kind": one.kind, "count": len(one.items), "bytes": one.size, "items": one.items} for one in self.garbage
        ]
        return {"removed": self.removed, "bytes": self.size, "garbage": kinds, "notes": self.notes}

    def table(self) -> Table:
        """Return a row a kind of which there is something."""
        table = Table(title="Removed" if self.removed else "What nothing needs", title_justify="left")
        table.add_column("what")
        table.add_column("count", justify="right")
        table.add_column("size", justify="right")
        for found in self.garbage:
            if found.items:
                size = "unknown" if found.size is None else decimal(found.size)
                table.add_row(found.kind, f"{len(found.items):,}", size)
        return table


def collect(root: Path, *, force: bool) -> Report:
    """Return what no commit, experiment, work tree or held run needs; with `force` it is removed.

    Raises UserError while stages, an experiment or DVC are at work, and when it cannot be known what is needed.
    """
    wait_for_writers(root)
    with only_one(root, "repro", wait_s=0), only_one(root, "sync"), open_dvc(root) as repo, repository_locked(repo):
        _refuse_experiments_at_work(root)
        report = Report(removed=force)
        needed = find_needed(root)
        # Runs first: what they show can be added again from the cache, but not the other way round.
        report.garbage += _of_mlflow(root, needed, report.notes)
        report.garbage += _of_cache(root, repo, needed, report.notes)
        report.garbage += _of_provenn(root)
        for found in report.garbage if force else ():
            found.remove()
    return report


def _refuse_experiments_at_work(root: Path) -> None:
    """Raise UserError for an experiment in a copy of the repository: what it puts into the cache nothing names yet."""
    for folder in (root / ".dvc/tmp/exps", root / ".dvc/tmp/exps/standalone"):
        if found := next(folder.glob("tmp*"), None):
            where = found.relative_to(root)
            raise UserError(
                f"an experiment is at work in {where}: wait until it has ended; if it was killed, remove that folder."
            )


def _of_mlflow(root: Path, needed: Needed, notes: list[str]) -> Iterator[Garbage]:
    store = Store(root)
    if not store.exists:
        return
    runs = store.unneeded(needed)
    ids = [run.info.run_id for run in runs]
    kind = "MLflow runs whose result nothing names"
    records = sorted({file for run in runs if (file := root / record_of(run)).is_file()})
    if not store.embedded:
        yield Garbage(kind, ids, None, partial(store.remove, runs))
        notes.append(
            f"Runs in {shown_uri(store.uri)} are only marked as deleted; their files and space are the server's: "
            "`mlflow gc` there frees them."
        )
        yield _files("records of such runs", records, partial(_unlink, records))
        return
    models = [model_id for run in runs for model_id in models_of(run)]
    yield Garbage(kind, ids, store.size([*ids, *models]), partial(store.remove, runs))
    yield _files("records of such runs", records, partial(_unlink, records))
    deleted = store.deleted()
    yield Garbage("MLflow runs and models that were deleted", deleted, store.size(deleted), store.purge)


def _of_cache(root: Path, repo: Any, needed: Needed, notes: list[str]) -> Iterator[Garbage]:
    cache, top = Path(repo.cache.legacy.path).resolve(), git_root(root) or root.resolve()
    if not cache.is_relative_to(top):
        notes.append(f"DVC's cache {cache} is left alone: it lies outside of the repository, and others may need it.")
        return
    runs = unneeded_runs(repo, needed)
    yield _files("entries of DVC's run cache", runs, partial(remove_runs, repo, runs))
    objects = unneeded_objects(repo, needed)
    yield _files("objects in DVC's cache", objects, partial(_unlink, objects))


def _of_provenn(root: Path) -> Iterator[Garbage]:
    yield _folder("what was set aside as damaged", root / ASIDE)
    present = {log_path(root, name) for name in read_stages(root)}
    logs = sorted(set(log_path(root, "any").parent.glob("*.log")) - present)
    yield _files("logs of stages that are no more", logs, partial(_unlink, logs))


def _files(kind: str, paths: list[Path], remove: Callable[[], None]) -> Garbage:
    # An object to which a file is linked takes no space of its own.
    size = sum(state.st_size for path in paths if (state := path.stat()).st_nlink == 1)
    return Garbage(kind, [str(path) for path in paths], size, remove)


def _folder(kind: str, folder: Path) -> Garbage:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return _files(kind, files, partial(shutil.rmtree, folder, ignore_errors=True))


def _unlink(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
