"""`provenn verify`: the working folder, dvc.lock, DVC's cache and run cache and MLflow, each against the digests."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dvc.exceptions import CheckoutError

from provenn.contents import Contents, content_digest, has_content
from provenn.cut_lock import refuse_cut_locks
from provenn.definitions import open_dvc
from provenn.entry import Entry, is_outside
from provenn.exclusive import only_one
from provenn.files import UserError
from provenn.lock import read_lock
from provenn.repro.damaged import is_run_cache_entry, set_aside
from provenn.repro.runner import reproduce
from provenn.repro.work import View, available_cores
from provenn.view.store import connect
from provenn.view.sync import stored_runs, synchronise


@dataclass(frozen=True)
class Damage:
    """Something that is not what a digest says: where, what, why, what heals it, and the file that is in the way."""

    place: str
    what: str
    reason: str
    heal: str
    file: str | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.what} {self.reason}; {self.heal}"


def find_damage(root: Path) -> Iterator[Damage]:
    """Yield what is damaged or lost, the cache first, for the rest can be brought back from it.

    Raises UserError while a repro is at work, for what it is about to write would be called damaged, and for a pipeline
    that DVC cannot read.
    """
    with only_one(root, "repro", wait_s=0):
        yield from _in_cache(root)
        yield from _in_run_cache(root)
        try:
            entries = read_lock(root)
        except UserError:
            try:
                refuse_cut_locks(root)
            except UserError as error:
                yield Damage("lock", "dvc.lock", f"cannot be read ({error})", "`git checkout dvc.lock` brings one")
                return
            raise  # of dvc.yaml, or of a file of parameters: that is for the user to mend
        yield from _in_working_folder(root, entries)
        yield from _in_mlflow(root, {name: entry for name, entry in entries.items() if entry.command})


def heal(root: Path, found: Iterable[Damage], view: View) -> list[Damage]:
    """Set aside what is damaged, bring it back from the cache, by running stages, and from `provenn sync`.

    Returns what is damaged still. Nothing is deleted: what was in the way is set aside.
    """
    found = list(found)
    with only_one(root, "repro", wait_s=0):
        for damage in found:
            if damage.file:
                view.note(f"{damage.what} was set aside: {set_aside(root, Path(damage.file))}")
        lost = [damage.what for damage in found if damage.place == "working folder"]
        with open_dvc(root) as repo, suppress(CheckoutError):  # what the cache lacks, a stage makes again
            if lost:
                repo.checkout(targets=[str(root / path) for path in lost], force=True, allow_missing=True)
    reproduce(root, (), available_cores(), view)
    synchronise(root)
    return list(find_damage(root))


def _in_cache(root: Path) -> Iterator[Damage]:
    with open_dvc(root) as repo:
        caches = dict.fromkeys([Path(repo.cache.local.path), Path(repo.cache.legacy.path)])
    for cache in caches:
        for path in sorted(cache.glob("[0-9a-f][0-9a-f]/*")):
            recorded = path.parent.name + path.name.removesuffix(".dir")
            if path.is_file() and len(recorded) == 32 and not has_content(path, recorded):
                reason = f"has other content than its name says ({path.stat().st_size:,} bytes)"
                yield Damage("cache", recorded, reason, "`provenn verify --fix` sets it aside", str(path))


def _in_run_cache(root: Path) -> Iterator[Damage]:
    with open_dvc(root) as repo:
        runs = Path(repo.stage_cache.cache_dir)
    for path in sorted(runs.glob("??/*/*")):
        if not is_run_cache_entry(path):
            yield Damage("run cache", path.name, "is cut", "`provenn verify --fix` sets it aside", str(path))


def _in_working_folder(root: Path, entries: Mapping[str, Entry]) -> Iterator[Damage]:
    contents = Contents(root, entries)
    for name, entry in entries.items():
        for path, value in entry.outs.items():
            outside = is_outside(path)
            there = (root / path).exists()
            if outside or not value or (there and _is_recorded(root / path, value)):
                continue
            reason = f"is not what dvc.lock records of {name}" if there else f"of {name} is missing"
            known = contents.where(path, value) is not None
            heal = f"`dvc checkout --force {path}`" if known else f"`provenn repro {name}` or `dvc pull {path}`"
            yield Damage("working folder", path, reason, heal, str(root / path) if there else None)


def _in_mlflow(root: Path, entries: Mapping[str, Entry]) -> Iterator[Damage]:
    try:
        runs = stored_runs(root, connect(root), entries)
    except UserError as error:
        yield Damage("MLflow", "store", f"cannot be read ({error})", "mend that, then `provenn sync`")
        return
    for name, entry in entries.items():
        if entry.result and runs.current(entry) is None:
            yield Damage("MLflow", name, "has no run that shows its result", "`provenn sync` adds it")


def _is_recorded(path: Path, value: str) -> bool:
    return content_digest(path) == value if path.is_dir() else has_content(path, value)
