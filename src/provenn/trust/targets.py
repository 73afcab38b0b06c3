"""What `provenn lineage` and `provenn reproduce` are asked about: a run, a file, a stage or a registered model."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from provenn.contents import Contents
from provenn.definitions import address
from provenn.entry import Entry, producers
from provenn.files import UserError, digest
from provenn.lock import past_locks, read_lock
from provenn.repository import commit_tags, git_root, has_commit
from provenn.view.lookup import StoredRun, entry_of_run, patch_of, run_by_id, run_of_entry, run_of_model
from provenn.view.run import PATCH
from provenn.view.store import connect


@dataclass
class Target:
    """A stage's result: its entry, the lock it belongs to, its run and commit, and what is not known about it."""

    name: str
    entry: Entry
    entries: Mapping[str, Entry]
    run: StoredRun | None
    commit: str | None = None
    dirty: bool | None = None
    patch: str | None = None
    unknown: list[str] = field(default_factory=list)


def find_target(name: str, root: Path, folder: Path | None = None) -> Target:
    """Return what `name` means: the beginning of a run's id, a stage, a file of one, or models:/<name>@<alias>.

    A file is named as seen from `folder`, by default the working one. Raises UserError when there is no such run, model
    or file, or when no stage makes the file.
    """
    if name.startswith("models:/"):
        return _of_run(name, root, run_of_model(connect(root), name))
    entries = read_lock(root)
    folder = folder or Path.cwd()
    path = _relative(name, root, folder)
    for stage in (address(name, root, folder), name):
        if stage in entries:
            return _of_entry(name, root, entries, entries[stage])
    if (root / path).exists() or producers(entries, path):
        return _of_file(name, path, root, entries)
    if re.fullmatch(r"[0-9a-f]{6,32}", name):
        return _of_run(name, root, run_by_id(connect(root), name))
    raise UserError(
        f"{name} is no file, stage, run id or models:/…@alias: `provenn sync --json` lists stages and runs."
    )


def _of_file(name: str, path: str, root: Path, entries: Mapping[str, Entry]) -> Target:
    made = {out: entry for out, entry in producers(entries, path).items() if not out.startswith(f"{path}/")}
    if not made:
        inside = sorted(producers(entries, path))
        hint = (
            f"name one of the files in it, such as {inside[0]}" if inside else "`dvc stage list` shows what they make"
        )
        raise UserError(f"no stage makes {path}: {hint}.")
    out, entry = next(iter(made.items()))
    note = None
    if not (root / path).exists():
        note = f"{path} is not in the working folder; this is what dvc.lock says of it"
    elif not Contents(root, entries).is_here(out, entry.outs[out]):
        content = digest(root / path) if (root / path).is_file() else "another content"
        note = f"{path} ({content}) is not what dvc.lock records: it was changed by hand, or `dvc repro` has not ended"
    return _of_entry(name, root, entries, entry, note)


def _of_entry(name: str, root: Path, entries: Mapping[str, Entry], entry: Entry, note: str | None = None) -> Target:
    unknown = [note] if note else []
    run = None
    try:
        run = run_of_entry(connect(root), entry) if entry.command else None
    except UserError as error:
        unknown.append(f"the run: {error}")
    else:
        if run is None and entry.command:
            unknown.append("the run: the store has none for this result; `provenn sync` adds it")
    return _with_commit(Target(name, entry, entries, run, unknown=unknown), root)


def _of_run(name: str, root: Path, run: StoredRun) -> Target:
    if not run.stage:
        raise UserError(f"the run {run.id[:8]} is not of a stage: it has no tag dvc.stage.")
    unknown = []
    if run.status != "FINISHED":
        unknown.append(f"its result: the run is {run.status} ({run.tags.get('failure', 'no reason was kept')})")
    entries = _lock_with(root, run)
    entry = (entries or {}).get(run.stage)
    if entries is None or entry is None:
        unknown.append("a dvc.lock with this result: none in this clone has it; what follows is the run's own")
        entries = read_lock(root)
        entry = entry_of_run(connect(root), run) or Entry(run.stage, "", {}, dict(run.parameters), {})
    return _with_commit(Target(name, entry, entries, run, unknown=unknown), root)


def _lock_with(root: Path, run: StoredRun) -> dict[str, Entry] | None:
    """Return the newest lock that records the run's result, the working folder's first."""
    for entries in _locks(root, run.tags.get("git.commit")):
        if run.stage in entries and run.stands_for(entries[run.stage]):
            return entries
    return None


def _locks(root: Path, commit: str | None) -> Iterator[dict[str, Entry]]:
    yield read_lock(root)
    if commit and has_commit(root, commit):
        with suppress(UserError):
            yield read_lock(root, commit)
    yield from (entries for _, entries in past_locks(root, newest_first=True))


def _with_commit(target: Target, root: Path) -> Target:
    tags = target.run.tags if target.run and "git.commit" in target.run.tags else _committed_at(target.entry, root)
    target.commit = tags.get("git.commit")
    target.dirty = {"true": True, "false": False}.get(tags.get("git.dirty", ""))
    if git_root(root) is None:
        target.unknown.append("the commit: this repository has no git; after `git init` and a commit results have one")
    elif target.commit is None:
        target.unknown.append("the commit: there was none yet when it ran")
    elif not has_commit(root, target.commit):
        target.unknown.append(
            f"the commit {target.commit[:12]}: it is not in this clone; `git fetch --all` may bring it"
        )
    if target.dirty:
        target.patch = patch_of(connect(root), target.run) if target.run else None
        if target.patch is None:
            why = tags.get(PATCH, "no run carries them")
            target.unknown.append(f"the changes that were not committed when it ran ({why})")
    return target


def _committed_at(entry: Entry, root: Path) -> dict[str, str]:
    """Return the commit whose lock records the result; without one, what is checked out."""
    for commit, entries in past_locks(root, newest_first=True):
        recorded = entries.get(entry.name)
        if recorded and (recorded.key, recorded.result) == (entry.key, entry.result):
            return {"git.commit": commit, "git.dirty": "false"}
    return commit_tags(root, list(entry.outs))


def _relative(name: str, root: Path, folder: Path) -> str:
    path = (folder / name).absolute()
    return path.relative_to(root.absolute()).as_posix() if path.is_relative_to(root.absolute()) else name
