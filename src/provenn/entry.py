"""A stage as plain values: its key, what it read and what it made, by content.

Paths are relative to the repository's root, whatever the stage's folder; what lies outside keeps its URL or absolute
path.
"""

import hashlib
import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from provenn.files import digest


@dataclass(frozen=True)
class Artifact:
    """An entry of `artifacts:` in dvc.yaml, by the name that a registry may use."""

    name: str
    type: str | None
    description: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A stage: what the lock records, `deps`, `params` and `outs`, and what dvc.yaml says of it besides.

    `deps` and `outs` map paths to digests as DVC made them: an MD5, with `.dir` for a folder, or an etag. `params` maps
    names to values, those of another file than params.yaml behind its name and a colon. `headline` are the metrics that
    the top of dvc.yaml lists; `plots` maps paths to their properties. `tracked` are the dependencies that DVC keeps, as
    an output of another stage or by a .dvc file. `folder` is the stage's own, below the repository's root; `root` is
    where the files lie: the repository, or a folder into which they were taken.
    """

    name: str
    command: str
    deps: dict[str, str]
    params: dict[str, Any]
    outs: dict[str, str]
    description: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    headline: tuple[str, ...] = ()
    plots: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    tracked: frozenset[str] = frozenset()
    folder: str = ""
    root: Path = Path()

    @cached_property
    def key(self) -> str:
        """The stage's key: a hash of its command, its dependencies' digests and its parameters."""
        content = {"cmd": self.command, "deps": self.deps, "params": self.params}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    @cached_property
    def result(self) -> str:
        """A hash of the outputs' digests; empty before the stage has run."""
        content = json.dumps(self.outs, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest() if any(self.outs.values()) else ""

    @property
    def stage(self) -> str:
        """The stage's name without folder and item: `train_mlp` of `book/dvc.yaml:train_mlp@mnist_mlp`."""
        return split_name(self.name)[1].partition("@")[0]

    def path(self, path: str) -> str:
        """Return a path of the stage's definition as one below the root."""
        return joined(self.folder, path)

    def models(self) -> dict[str, Artifact]:
        """Return the outputs that are artifacts of the type model."""
        return {path: artifact for path, artifact in self.artifacts.items() if artifact.type == "model"}

    def flat_params(self) -> dict[str, Any]:
        """Return the parameters flat, by dotted names."""
        return {full: item for name, value in self.params.items() for full, item in _flatten(name, value)}

    def settings(self) -> dict[str, Any]:
        """Return the parameters flat, by dotted names; those of the stage's own section, if it has one, without it.

        Where two names would then be the same, both stay whole.
        """
        values = self.flat_params()
        short: dict[str, str] = {}
        for name, value in self.params.items():
            own = f"{name}.".startswith(f"{self.stage}.")
            section = f"{name if isinstance(value, dict) else self.stage}."
            for full, _ in _flatten(name, value):
                short[full] = full.removeprefix(section) if own else full
        times = Counter(short.values())
        return {(short[full] if times[short[full]] == 1 else full): item for full, item in values.items()}


def split_name(name: str) -> tuple[str, str]:
    """Return the dvc.yaml of a stage, empty for that at the root, and its name there, which may hold colons itself."""
    file, own = re.fullmatch(r"(?:((?:.*?/)?dvc\.yaml):)?(.*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    return file or "", own


def producers(entries: Mapping[str, Entry], path: str) -> dict[str, Entry]:
    """Return the stages that make a path, by output: the path itself, a folder around it, or files in it."""
    return {
        out: entry
        for entry in entries.values()
        for out in entry.outs
        if out == path or path.startswith(f"{out}/") or out.startswith(f"{path}/")
    }


def as_read(entry: Entry, path: str, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the stages that made what a stage read at `path`, by output; none when one has made another since."""
    made = {out: maker for out, maker in producers(entries, path).items() if out == path or out.startswith(f"{path}/")}
    if path not in entry.deps:  # files of the folder, one by one
        return {out: maker for out, maker in made.items() if entry.deps.get(out) == maker.outs[out]}
    if path in made:
        return made if entry.deps[path] == made[path].outs[path] else {}
    outs = {out: maker.outs[out] for out, maker in made.items()}
    return made if holds(entry.root, path, outs, entry.deps[path]) else {}


def holds(root: Path, folder: str, outs: Mapping[str, str], value: str) -> bool:
    """Tell whether a folder of this digest is that of some outputs in it, with the other files that are there now.

    Such as the .gitignore that DVC keeps beside outputs.
    """
    files = {out.removeprefix(f"{folder}/"): made for out, made in outs.items()}
    if directory_digest(files) == value:
        return True
    others = files_below(root / folder)
    for own in files:
        others = {name: file for name, file in others.items() if name != own and not name.startswith(f"{own}/")}
    return bool(others) and directory_digest(files | {name: digest(file) for name, file in others.items()}) == value


def files_below(folder: Path) -> dict[str, Path]:
    """Return the files of a folder, by their paths in it, that are part of it to DVC: not what .dvcignore names."""
    from dvc.fs import localfs
    from dvc.ignore import DvcIgnoreFilter

    folder = folder.absolute()
    root = next((above for above in folder.parents if (above / ".dvc").is_dir()), None)
    if root is None:
        found = [file for file in folder.rglob("*") if file.is_file()]
    else:
        found = [Path(file) for file in DvcIgnoreFilter(localfs, str(root)).find(localfs, str(folder))]
    return {file.relative_to(folder).as_posix(): file for file in sorted(found)}


def directory_digest(files: Mapping[str, str]) -> str:
    """Return DVC's digest of a folder from its files' relative paths and digests."""
    listing = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    content = json.dumps(listing, sort_keys=True)
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest() + ".dir"


def command_text(command: Any) -> str:
    """Return a command, or a list of them, as one text."""
    return command if isinstance(command, str) else "\n".join(command or [])


def named_params(file: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters by the names that they have in an entry."""
    return dict(values) if file == "params.yaml" else {f"{file}:{name}": value for name, value in values.items()}


def joined(folder: str, path: str) -> str:
    """Return a path below the root, of one that is relative to a folder; a URL or an absolute path stays."""
    if is_outside(path):
        return path
    return posixpath.normpath(posixpath.join(folder.replace("\\", "/"), path))


def is_outside(path: str) -> bool:
    """Return whether a path of a stage leads out of the repository: a URL, or an absolute path."""
    return "://" in path or posixpath.isabs(path)


def _flatten(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flatten(f"{name}.{key}", item)
    else:
        yield name, value
