"""dvc.lock, of the working folder and of any commit: the stages that have a result."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from provenn.definitions import read_stages
from provenn.entry import Entry, command_text, joined, named_params, split_name
from provenn.fast_yaml import parse_yaml
from provenn.files import UserError
from provenn.lock_text import find_entry, is_plain
from provenn.repository import commits_with_locks, git, has_commit

LOCK = "dvc.lock"


def read_lock(root: Path, commit: str | None = None) -> dict[str, Entry]:
    """Return the stages that have a result, of the working folder or of a commit, by name.

    A name is DVC's, seen from the root: `train`, `book/dvc.yaml:train`, `data/raw.csv.dvc`. A stage that dvc.yaml no
    longer has is left out. Where the commit's dvc.yaml cannot be read, its lock at the root alone speaks. Raises
    UserError for a file that DVC cannot read, a lock that is no lock, and a commit that is not in this clone.
    """
    if commit and not has_commit(root, commit):
        raise UserError(f"the commit {commit[:12]} is not in this clone: fetch it with `git fetch --all`.")
    try:
        stages = read_stages(root, commit)
    except UserError:
        if commit is None:
            raise
        recorded = _read_lock_file(root, commit, LOCK)
        return {name: as_recorded(Entry(name, "", {}, {}, {}, root=root), stage) for name, stage in recorded.items()}
    return with_results(root, stages, commit)


def with_results(root: Path, stages: Mapping[str, Entry], commit: str | None = None) -> dict[str, Entry]:
    """Return those of the `stages`, as they are defined, that have a result, with what the locks record."""
    paths = {_lock_of(name) for name in stages if not _is_file(name)}
    locks = {path: _read_lock_file(root, commit, path) for path in paths}
    entries = {}
    for name, stage in stages.items():
        if _is_file(name):
            entries[name] = stage
        elif found := locks[_lock_of(name)].get(split_name(name)[1]):
            entries[name] = as_recorded(stage, found)
    return entries


def with_own_results(root: Path, stages: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return those of the `stages` that have a result in the working folder, for a few of those that a lock holds.

    Quick: of a lock only their entries are parsed. Raises UserError for one that is no lock.
    """
    texts = {path: (root / path).read_text() for path in map(_lock_of, stages) if (root / path).is_file()}
    if any(map(_is_file, stages)) or not all(map(is_plain, texts.values())):
        return with_results(root, stages)
    entries = {}
    for name, stage in stages.items():
        text, own = texts.get(_lock_of(name), ""), split_name(name)[1]
        if place := find_entry(text, own):
            entries[name] = as_recorded(stage, parse_yaml(text[slice(*place)])[own])
    return entries


def recorded(
    root: Path, names: Iterable[str], commit: str | None = None, folders: Mapping[str, str] | None = None
) -> dict[str, Entry]:
    """Return what locks alone, of the working folder or a commit, say of stages: command, dependencies and so on.

    Quick, for no dvc.yaml is read; a stage without a result is left out. `folders` are those of stages with a `wdir`,
    from which their paths are seen: it stands in dvc.yaml alone.
    """
    known = folders or {}
    stages = {name: Entry(name, "", {}, {}, {}, folder=known.get(name, _folder_of(name))) for name in names}
    return with_results(root, stages, commit)


def working_folders(root: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the folders of the stages in which they work, where a dvc.yaml of theirs speaks of `wdir`; else none."""
    files = {root / (split_name(name)[0] or "dvc.yaml") for name in names}
    if not any("wdir" in file.read_text(errors="replace") for file in files if file.is_file()):
        return {}
    return {name: entry.folder for name, entry in read_stages(root).items()}


def recorded_names(root: Path, beside: Iterable[str] = ()) -> set[str]:
    """Return the stages in the lock at the root, and in those locks that hold the stages `beside`."""
    found = set()
    for path in {LOCK, *map(_lock_of, beside)}:
        where = Path(path).parent / "dvc.yaml"
        found |= {name if path == LOCK else f"{where}:{name}" for name in _read_lock_file(root, None, path)}
    return found


def past_locks(root: Path, *, newest_first: bool = False) -> Iterator[tuple[str, dict[str, Entry]]]:
    """Yield each commit that changed a lock, the oldest first, with its entries.

    One whose lock cannot be read is left out: nobody can mend it any more.
    """
    commits = commits_with_locks(root)
    for commit in reversed(commits) if newest_first else commits:
        with suppress(UserError):
            yield commit, read_lock(root, commit)


def as_recorded(stage: Entry, recorded: Mapping[str, Any]) -> Entry:
    """Return a stage with what a lock records of it; paths are seen from the stage's folder."""
    params: dict[str, Any] = {}
    for file, values in (recorded.get("params") or {}).items():
        params |= named_params(file, values)
    return replace(
        stage,
        command=command_text(recorded["cmd"]),
        deps={joined(stage.folder, dep["path"]): _recorded_digest(dep) for dep in recorded.get("deps") or []},
        params=params,
        outs={joined(stage.folder, out["path"]): _recorded_digest(out) for out in recorded.get("outs") or []},
    )


def stages_in(text: str) -> dict[str, Any]:
    """Return the stages of a lock file's text as they stand in it; anything may be raised for what is no lock."""
    content = parse_yaml(text) if text else {}
    stages = content.get("stages") or {} if "schema" in content else content  # DVC 1 wrote the stages alone
    # To find out here whether it is a lock at all, and not in the middle of something.
    for stage in stages.values():
        as_recorded(Entry("", "", {}, {}, {}), stage)
    return dict(stages)


def _read_lock_file(root: Path, commit: str | None, path: str) -> Mapping[str, Any]:
    """Return the stages of one lock file as they stand in it; none when there is no such file."""
    where = f"{path} of {commit[:12]}" if commit else path
    try:
        file = root / path
        text = git("show", f"{commit}:./{path}", root=root) if commit else file.read_text() if file.is_file() else None
        return stages_in(text or "")
    except Exception as error:  # an error of the parser DVC uses, or a shape that no lock has
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{where} is not a lock of DVC ({reason}): restore it with `git checkout {path}`, or run `dvc repro`."
        ) from None


def _is_file(name: str) -> bool:
    return name.endswith(".dvc") and ":" not in name


def _folder_of(name: str) -> str:
    folder = Path(split_name(name)[0]).parent.as_posix()
    return "" if folder == "." else folder


def _lock_of(name: str) -> str:
    file, _ = split_name(name)
    return str(Path(file).with_name(LOCK)) if file else LOCK


def _recorded_digest(item: Mapping[str, Any]) -> str:
    known = next((item[kind] for kind in ("md5", "etag", "checksum") if item.get(kind)), None)
    if known is None:
        content = json.dumps({name: value for name, value in item.items() if name != "path"}, sort_keys=True)
        return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest() if len(item) > 1 else ""
    return str(known)
