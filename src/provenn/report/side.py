"""One side of a comparison: a commit, or the working folder, with its stages, their results and their files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from provenn.contents import Contents, content_digest
from provenn.definitions import read_now
from provenn.entry import Entry, producers
from provenn.files import UserError
from provenn.lock import read_lock, with_results
from provenn.repository import git

NOTHING = Entry("", "", {}, {}, {})  # where a side has no result of a stage


@dataclass
class Side:
    """Stages as they are now (`stages`), and those that have a result as they were when it was made (`entries`).

    `folder` is an empty one, into which `bring` puts files; `missing` says what was nowhere, and what to do about it.
    """

    root: Path
    label: str
    commit: str | None
    stages: Mapping[str, Entry]
    entries: Mapping[str, Entry]
    folder: Path
    missing: list[str]

    @cached_property
    def contents(self) -> Contents:
        """Where its files may be found."""
        return Contents(self.root, self.entries, self.commit)

    @cached_property
    def needs(self) -> dict[str, set[str]]:
        """The stages, and of each those whose outputs it reads."""
        return {
            name: {made.name for path in stage.deps for made in producers(self.stages, path).values()} - {name}
            for name, stage in self.stages.items()
        }

    def files(self, entry: Entry, path: str) -> dict[str, str] | None:
        """Return the files at a path that a stage wrote or read, or below it, with digests; None when nobody knows."""
        for known, value in (entry.deps | entry.outs).items():
            if path != known and not path.startswith(f"{known}/"):
                continue
            if not value.endswith(".dir"):
                return {path: value} if path == known else {}
            listing = self.contents.listing(known, value)
            if listing is None:
                self._miss(entry, known)
                return None
            whole = {f"{known}/{name}": made for name, made in listing.items()}
            return {name: made for name, made in whole.items() if f"{name}/".startswith(f"{path}/")}
        return {}

    def bring(self, entry: Entry, paths: Iterable[str]) -> tuple[Entry, bool]:
        """Return the entry with `folder` as root, in which its files at the paths lie, and whether all were found."""
        whole = True
        for path in paths:
            found = self.files(entry, path)
            whole = whole and found is not None
            for name, value in (found or {}).items():
                if not (self.folder / name).exists() and self.contents.take(name, value, self.folder):
                    self._miss(entry, name)
                    whole = False
        return replace(entry, root=self.folder), whole

    def _miss(self, entry: Entry, path: str) -> None:
        first = "check that commit out, then " if self.commit else ""
        note = f"{path} of {self.label} is nowhere: {first}{self.contents.how_to_get(entry.name)}."
        if note not in self.missing:
            self.missing.append(note)


def written(entry: Entry, paths: Iterable[str]) -> dict[str, str]:
    """Return the outputs that hold these paths, with digests."""
    wanted = set(paths)
    return {out: made for out, made in entry.outs.items() if any(f"{path}/".startswith(f"{out}/") for path in wanted)}


def read_base(root: Path, revision: str, folder: Path) -> Side:
    """Return the side of a commit, as its lock recorded it; UserError when it is not in this clone."""
    commit = find_commit(root, revision)
    entries = read_lock(root, commit)
    return Side(root, _label(revision, commit), commit, entries, entries, folder, [])


def read_head(root: Path, revision: str | None, folder: Path) -> Side:
    """Return the side of a commit, or of the working folder; UserError when it cannot be read."""
    commit = find_commit(root, revision) if revision else None
    stages = read_now(root, commit)
    entries = with_results(root, stages, commit)
    label = _label(revision, commit) if revision and commit else "the working folder"
    side = Side(root, label, commit, stages, entries, folder, [])
    side.stages = {name: replace(stage, deps=_deps_now(side, stage)) for name, stage in stages.items()}
    return side


def find_commit(root: Path, revision: str) -> str:
    """Return the commit that a revision names; UserError when this clone has none."""
    commit = (
        git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", root=root) or ""
    ).strip()
    if not commit:
        raise UserError(f"{revision} is no commit of this clone: fetch it with `git fetch --all`, or name another one.")
    return commit


def _label(revision: str, commit: str) -> str:
    return commit[:7] if commit.startswith(revision) else f"{revision} ({commit[:7]})"


def _deps_now(side: Side, stage: Entry) -> dict[str, str]:
    recorded = side.entries[stage.name].deps if stage.name in side.entries else {}
    made = {out: value for entry in side.entries.values() for out, value in entry.outs.items()}
    return {
        path: _kept_now(side, path, recorded.get(path, ""), made) if path in stage.tracked else value
        for path, value in stage.deps.items()
    }


def _kept_now(side: Side, path: str, recorded: str, made: Mapping[str, str]) -> str:
    """Return the digest of what DVC keeps, by what the locks say of who made it, for its files may be elsewhere.

    A folder of several outputs can only be looked at; where it is not whole, it is taken to be as it was.
    """
    if path in made:
        return made[path]
    for out, value in made.items():
        if path.startswith(f"{out}/"):
            return (side.contents.listing(out, value) or {}).get(path.removeprefix(f"{out}/"), recorded)
    parts = [out for out in made if out.startswith(f"{path}/")]
    whole = side.commit is None and all((side.root / out).exists() for out in parts)
    return content_digest(side.root / path) if whole and not side.contents.is_here(path, recorded) else recorded
