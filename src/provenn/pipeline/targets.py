"""What `provenn lineage` and `provenn reproduce` are asked about: a run, a file or a registered model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from provenn.files import UserError, digest
from provenn.pipeline.contents import Contents
from provenn.pipeline.locks import commits_with_lock, producers, read_lock, read_lock_of
from provenn.tracking.entry import StageEntry
from provenn.tracking.lookup import StoredRun, patch_of, run_by_id, run_of_entry, run_of_model
from provenn.tracking.origin import git, git_tags
from provenn.tracking.store import connect


@dataclass
class Target:
    """A stage's result: its entry, the lock it belongs to, its run and commit, and what is not known about it."""

    name: str
    entry: StageEntry
    lock: Mapping[str, StageEntry]
    run: StoredRun | None
    commit: str | None
    dirty: bool | None
    patch: str | None = None
    unknown: list[str] = field(default_factory=list)


def find_target(name: str, root: Path) -> Target:
    """Return what `name` means: the beginning of a run's id, a file of a stage, or models:/<name>@<alias>.

    Raises UserError when there is no such run, model or file, or when no stage makes the file.
    """
    if name.startswith("models:/"):
        return _of_run(name, root, run_of_model(connect(root), name))
    lock = read_lock(root)
    path = _relative(name, root)
    if path in lock:
        return _of_entry(name, root, lock, lock[path], None)
    if (root / path).exists() or producers(lock, path):
        return _of_file(name, path, root, lock)
    if re.fullmatch(r"[0-9a-f]{6,32}", name):
        return _of_run(name, root, run_by_id(connect(root), name))
    raise UserError(
        f"{name} is no file, stage, run id or models:/…@alias: `provenn sync --json` lists stages and runs."
    )


def _of_file(name: str, path: str, root: Path, lock: Mapping[str, StageEntry]) -> Target:
    made = {out: entry for out, entry in producers(lock, path).items() if not out.startswith(f"{path}/")}
    if not made:
        inside = sorted(producers(lock, path))
        hint = (
            f"name one of the files in it, such as {inside[0]}" if inside else "`dvc stage list` shows what they make"
        )
        raise UserError(f"no stage makes {path}: {hint}.")
    out, entry = next(iter(made.items()))
    note = None
    if not (root / path).exists():
        note = f"{path} is not in the working folder; this is what dvc.lock says of it"
    elif not Contents(root, lock).is_here(out, entry.outs[out]):
        content = digest(root / path) if (root / path).is_file() else "another content"
        note = f"{path} ({content}) is not what dvc.lock records: it was changed by hand, or `dvc repro` has not ended"
    return _of_entry(name, root, lock, entry, note)


def _of_entry(name: str, root: Path, lock: Mapping[str, StageEntry], entry: StageEntry, note: str | None) -> Target:
    unknown = [note] if note else []
    run = None
    try:
        run = run_of_entry(connect(root), entry)
    except UserError as error:
        unknown.append(f"the run: {error}")
    else:
        if run is None:
            unknown.append("the run: the store has none for this result; `provenn sync` adds it")
    return _with_commit(Target(name, entry, lock, run, None, None, unknown=unknown), root)


def _of_run(name: str, root: Path, run: StoredRun) -> Target:
    if not run.stage:
        raise UserError(f"the run {run.id[:8]} is not of a stage of this pipeline: it has no tag dvc.stage.")
    unknown = []
    if run.status != "FINISHED":
        unknown.append(f"its result: the run is {run.status} ({run.tags.get('failure', 'no reason was kept')})")
    lock = _lock_with(root, run)
    entry = (lock or {}).get(run.stage)
    if lock is None or entry is None:
        unknown.append(
            "a dvc.lock with this result: none in this clone's history has it; what follows is the run's own"
        )
        lock = read_lock(root)
        entry = StageEntry(run.stage, "", "", run.deps, dict(run.parameters), list(run.outs), run.outs)
    return _with_commit(Target(name, entry, lock, run, None, None, unknown=unknown), root)


def _lock_with(root: Path, run: StoredRun) -> dict[str, StageEntry] | None:
    """Return the newest lock that records the run's result, the working folder's first."""
    commits = [commit for commit in (run.tags.get("git.commit"),) if commit and _is_here(root, commit)]
    for commit in [None, *commits, *reversed(commits_with_lock(root))]:
        lock = read_lock_of(root, commit) if commit else read_lock(root)
        entry = lock.get(run.stage)
        if entry and entry.key == run.tags.get("dvc.key") and entry.outs == run.outs:
            return lock
    return None


def _with_commit(target: Target, root: Path) -> Target:
    tags = target.run.tags if target.run else _committed_at(target.entry, root)
    target.commit = tags.get("git.commit")
    target.dirty = {"true": True, "false": False}.get(tags.get("git.dirty", ""))
    if target.commit is None:
        target.unknown.append("the commit: the run did not take place in a git repository")
    elif not _is_here(root, target.commit):
        target.unknown.append(
            f"the commit {target.commit[:12]}: it is not in this clone; `git fetch --all` may bring it"
        )
    if target.dirty:
        target.patch = patch_of(connect(root), target.run) if target.run else None
        if target.patch is None:
            why = tags.get("provenn.patch", "no run carries them")
            target.unknown.append(f"the changes that were not committed when it ran ({why})")
    return target


def _committed_at(entry: StageEntry, root: Path) -> dict[str, str]:
    """Return the commit whose lock records the result; without one, what is checked out."""
    for commit in reversed(commits_with_lock(root)):
        recorded = read_lock_of(root, commit).get(entry.name)
        if recorded and (recorded.key, recorded.outs) == (entry.key, entry.outs):
            return {"git.commit": commit, "git.dirty": "false"}
    return git_tags(root)


def _is_here(root: Path, commit: str) -> bool:
    return git("cat-file", "-e", f"{commit}^{{commit}}", root=root) is not None


def _relative(name: str, root: Path) -> str:
    path = Path(name).absolute()
    return str(path.relative_to(root.absolute())) if path.is_relative_to(root.absolute()) else name
