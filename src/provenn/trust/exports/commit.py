"""What an export tells of: the results that the checked-out commit records, whatever has changed since."""

import hashlib
import mimetypes
import os
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from provenn.contents import Contents
from provenn.definitions import address
from provenn.entry import Artifact, Entry, as_read, directory_digest, is_outside, producers
from provenn.files import UserError, sha256
from provenn.lock import read_lock
from provenn.repository import git, head
from provenn.view.contents import metrics, scores
from provenn.view.meta import meta_of
from provenn.view.models import model_paths

MEDIA_TYPES = mimetypes.MimeTypes()  # Python's own table, not this machine's


class File(NamedTuple):
    """A file by its path from the root: DVC's digest, the SHA-256, its size in bytes; None where it is nowhere."""

    path: str
    digest: str
    sha256: str | None
    size: int | None

    @property
    def media_type(self) -> str:
        """What its name says that it is."""
        return MEDIA_TYPES.guess_type(self.path)[0] or "application/octet-stream"


class Result(NamedTuple):
    """What a stage or .dvc file made, and which of it: an output, a file in one, or all of it where that is None."""

    entry: Entry
    path: str | None


class Metric(NamedTuple):
    """A number, the stage that measured it, and the data, besides models, that this stage read."""

    stage: str
    name: str
    value: float
    data: str


class Commit:
    """The commit that is checked out: its id, time, stages and models, and the content of their files.

    Raises UserError without one.
    """

    def __init__(self, root: Path) -> None:
        commit = head(root)
        if commit is None:
            raise UserError("there is no commit to export: commit the pipeline with its dvc.lock first.")
        self.root, self.id = root, commit
        self.time = datetime.fromisoformat((git("show", "-s", "--format=%cI", commit, root=root) or "").strip())
        self.entries = read_lock(root, commit)
        self.models = {path: entry for entry in self.entries.values() for path in model_paths(entry)}
        self._contents = Contents(root, self.entries, commit)
        self._measured: dict[tuple[str, str], File] = {}

    def find(self, target: str) -> Result:
        """Return what a stage, an artifact, or a path seen from the working folder means; UserError for anything else.

        A file in a folder that one stage made is found as well.
        """
        stage = self.entries.get(address(target, self.root, Path.cwd()))
        if stage:
            return Result(stage, None)
        for entry in self.entries.values():
            for path, artifact in entry.artifacts.items():
                if artifact.name == target:
                    return Result(entry, path)
        inside = os.path.relpath(Path.cwd().resolve() / target, self.root.resolve())
        for out, entry in producers(self.entries, inside).items():
            if _within(inside, out):
                return Result(entry, inside)
        raise UserError(
            f"the commit {self.id[:12]} has no result {target}: name a stage, an artifact or an output of dvc.yaml; "
            "commit dvc.lock when it is new."
        )

    def models_of(self, target: str | None) -> list[str]:
        """Return the models that a target means, by default all; UserError when there is none."""
        result = self.find(target) if target else None
        found = [
            path
            for path, entry in self.models.items()
            if result is None or (entry == result.entry and result.path in (None, path))
        ]
        if not found:
            where = f"the commit {self.id[:12]} has no model" if target is None else f"{target} is no model"
            raise UserError(f"{where}: give it the type `model` under `artifacts:` in dvc.yaml.")
        return found

    def files(self, path: str) -> list[File]:
        """Return the files of an output, or of a path in one; none when nobody knows any more which they were."""
        for out, entry in producers(self.entries, path).items():
            if _within(path, out):
                found = self.files_of(out, entry.outs[out])
                return [file for file in found if _within(file.path, path)]
        return []

    def files_of(self, path: str, value: str) -> list[File]:
        """Return the files of a path whose content DVC gave this digest; none when nobody knows them any more."""
        if value.endswith(".dir"):
            listing = {} if is_outside(path) else self._contents.listing(path, value) or {}
            return [self._measure(f"{path}/{name}", made) for name, made in sorted(listing.items())]
        return [self._measure(path, value)]

    def holds(self, path: str, value: str) -> bool:
        """Return whether the commit has this content at a path; a stage may have read another one."""
        files = self.files(path)
        if not files:
            text = self.in_git(path)
            content = b"" if text is None else text.encode("utf-8", "surrogateescape")
            return text is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() == value
        digests = {file.path.removeprefix(f"{path}/"): file.digest for file in files}
        return value in (digests.get(path), directory_digest(digests))

    def maker(self, path: str, value: str) -> Entry | None:
        """Return the stage that made this content of a path, or of a folder around it."""
        makers = [entry for out, entry in producers(self.entries, path).items() if _within(path, out)]
        return makers[0] if makers and self.holds(path, value) else None

    def content(self, file: File) -> bytes | None:
        """Return the bytes of a file, or None when they are nowhere."""
        return self._contents.read(file.path, file.digest)

    def in_git(self, path: str) -> str | None:
        """Return the text of a file that the commit itself holds."""
        return git("show", f"{self.id}:./{path}", root=self.root)

    @cached_property
    def names_in_git(self) -> list[str]:
        """The files and folders at the root."""
        return (git("ls-tree", "--name-only", self.id, root=self.root) or "").splitlines()

    def artifact(self, path: str) -> Artifact | None:
        """Return what dvc.yaml's `artifacts` says of a path."""
        return next((entry.artifacts[path] for entry in self.entries.values() if path in entry.artifacts), None)

    def made_from(self, entry: Entry) -> dict[str, Entry]:
        """Return a stage and all that made what it reads, by name."""
        found: dict[str, Entry] = {}
        waiting = [entry]
        while waiting:
            one = waiting.pop()
            if one.name not in found:
                found[one.name] = one
                waiting += [made for path in one.deps for made in producers(self.entries, path).values()]
        return found

    def metrics(self, model: str) -> list[Metric]:
        """Return a model's numbers: of its stage, of stages that read it alone or chose it, and what `meta` gives it.

        A stage that read another content of the model than the commit has says nothing.
        """
        found = []
        for entry in self.entries.values():
            own, given = self._numbers.get(entry.name, ({}, {}))
            read = self._models_read[entry.name]
            data = [path for path in sorted(entry.tracked) if not any(_within(one, path) for one in self.models)]
            chose = meta_of(entry).champion and not entry.outs.keys().isdisjoint(self.models[model].deps)
            numbers = [*own.items()] if entry is self.models[model] or read == {model} or chose else []
            if model in read:
                numbers += given.get(str(Path(model).with_suffix("")), {}).items()
            found += [Metric(entry.name, name, value, ", ".join(data)) for name, value in numbers]
        return found

    @cached_property
    def _numbers(self) -> Mapping[str, tuple[dict[str, float], dict[str, dict[str, float]]]]:
        found = {}
        for entry in self.entries.values():
            wanted = [*entry.metrics, *meta_of(entry).scores]
            paths = [out for out in entry.outs if any(_within(path, out) for path in wanted)]
            if paths:
                with self._contents.files_of(entry, paths) as (there, _):
                    found[entry.name] = metrics(there)[0], scores(there)
        return found

    @cached_property
    def _models_read(self) -> dict[str, set[str]]:
        found = {}
        for entry in self.entries.values():
            listed = {*entry.tracked, *meta_of(entry).scores.values()}
            read = [out for path in listed for out in as_read(entry, path, self.entries)]
            found[entry.name] = {model for model in self.models if any(_within(model, out) for out in read)}
        return found

    def _measure(self, path: str, value: str) -> File:
        if (path, value) not in self._measured:
            found = None if is_outside(path) else self._contents.find(path, value)
            content = None if is_outside(path) or found else self._contents.read(path, value)
            if found:
                self._measured[path, value] = File(path, value, sha256(found), found.stat().st_size)
            elif content is not None:
                self._measured[path, value] = File(path, value, hashlib.sha256(content).hexdigest(), len(content))
            else:
                self._measured[path, value] = File(path, value, None, None)
        return self._measured[path, value]


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
