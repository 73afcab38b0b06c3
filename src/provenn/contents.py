"""Finding a file by its digest: in the working folder, in DVC's cache, or in git's history."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from provenn.definitions import open_dvc
from provenn.entry import Entry, directory_digest, files_below
from provenn.files import digest, write_bytes
from provenn.repository import git


class Contents:
    """Where the content of a path of the repository at `root` may still be found.

    `entries` say which files a folder consists of that several stages wrote: DVC has no listing of such a folder. Of
    the entries of a `commit`, that commit is searched before the rest of git's history.
    """

    def __init__(self, root: Path, entries: Mapping[str, Entry], commit: str | None = None) -> None:
        self.root = root
        self.commit = commit
        self._made = {path: value for entry in entries.values() for path, value in entry.outs.items()}

    def listing(self, path: str, value: str) -> dict[str, str] | None:
        """Return the files of a folder, relative path to digest, or None when nobody knows them any more."""
        made = {name.removeprefix(f"{path}/"): made for name, made in self._made.items() if name.startswith(f"{path}/")}
        if made and directory_digest(made) == value:
            return made
        cached = self._object(value)
        if cached:
            return {item["relpath"]: item["md5"] for item in json.loads(cached.read_bytes())}
        present = _files_in(self.root / path)
        return present if directory_digest(present) == value else None

    def is_here(self, path: str, value: str) -> bool:
        """Return whether the working folder holds exactly this content at `path`."""
        here = self.root / path
        if not value.endswith(".dir"):
            return has_content(here, value)
        listing = self.listing(path, value)
        return listing is not None and all(self.is_here(f"{path}/{name}", made) for name, made in listing.items())

    def where(self, path: str, value: str) -> str | None:
        """Return where the content of `path` is, in words, or None when it is nowhere."""
        if self.is_here(path, value):
            return "the working folder"
        if value.endswith(".dir"):
            listing = self.listing(path, value)
            found = {self.where(f"{path}/{name}", made) for name, made in listing.items()} if listing else {None}
            return None if None in found else " and ".join(sorted(place for place in found if place))
        if self._object(value):
            return "the cache"
        return "git's history" if self._from_history(path, value) is not None else None

    def find(self, path: str, value: str) -> Path | None:
        """Return a file with this content, in the working folder or in the cache; None when git alone may have it."""
        here = self.root / path
        return here if has_content(here, value) else self._object(value)

    def read(self, path: str, value: str) -> bytes | None:
        """Return the content of a file, or None when it is nowhere."""
        with tempfile.TemporaryDirectory() as folder:
            return None if self.take(path, value, Path(folder)) else Path(folder, path).read_bytes()

    def take(self, path: str, value: str, into: Path) -> list[str]:
        """Copy the content of `path` into the folder `into`; return the paths of which it is nowhere to be found."""
        if value.endswith(".dir"):
            listing = self.listing(path, value)
            if listing is None:
                return [path]
            return [lost for name, made in listing.items() for lost in self.take(f"{path}/{name}", made, into)]
        target = into / path
        source = self.find(path, value)
        content = None if source else self._from_history(path, value)
        if source is None and content is None:
            return [path]
        target.parent.mkdir(parents=True, exist_ok=True)
        if source:
            shutil.copyfile(source, target)
        else:
            write_bytes(target, content or b"")
        return []

    @contextmanager
    def files_of(self, entry: Entry, paths: Iterable[str]) -> Iterator[tuple[Entry, list[str]]]:
        """Yield the entry with a root at which its outputs `paths` lie, and those that are nowhere to be found."""
        wanted = {path: entry.outs[path] for path in paths}
        if all(self.is_here(path, value) for path, value in wanted.items()):
            yield replace(entry, root=self.root), []
            return
        with tempfile.TemporaryDirectory() as folder:
            lost = [lost for path, value in wanted.items() for lost in self.take(path, value, Path(folder))]
            yield replace(entry, root=Path(folder)), lost

    def how_to_get(self, name: str) -> str:
        """Return the command that brings what is nowhere, in words; `name` is a stage or a path."""
        _, remotes = self._places
        if not remotes:
            return f"make it with `dvc repro {name}` (no DVC remote is set up to pull it from)"
        return f"`dvc pull {name}` (from {' or '.join(remotes)}), or `dvc repro {name}` when no remote has it"

    @cached_property
    def _places(self) -> tuple[list[Path], list[str]]:
        """DVC's caches, and the names of its remotes. Where all is in the working folder, nobody asks for them."""
        with open_dvc(self.root) as repo:
            # Since DVC 3 below files/md5; what an earlier one wrote stays where it was.
            return [Path(repo.cache.local.path), Path(repo.cache.legacy.path)], list(repo.config["remote"])

    def _object(self, value: str) -> Path | None:
        for cache in self._places[0]:
            path = cache / value[:2] / value[2:]
            # DVC itself trusts a cache file without a look: a truncated one would be shown as the result.
            if len(value) > 2 and has_content(path, value.removesuffix(".dir")):
                return path
        return None

    def _from_history(self, path: str, value: str) -> bytes | None:
        first = [self.commit] if self.commit else []
        for commit in [*first, *(git("rev-list", "--all", "HEAD", "--", path, root=self.root) or "").split()]:
            content = git("show", f"{commit}:./{path}", root=self.root)
            if content is not None:
                raw = content.encode("utf-8", "surrogateescape")
                if value in _digests(raw):
                    return raw
        return None


def content_digest(path: Path) -> str:
    """Return the digest that DVC gives to a file, or to a folder."""
    return directory_digest(_files_in(path)) if path.is_dir() else digest(path)


def _files_in(folder: Path) -> dict[str, str]:
    return {name: digest(file) for name, file in files_below(folder).items()}


def has_content(path: Path, value: str) -> bool:
    """Return whether a file has the MD5 that DVC recorded."""
    if not path.is_file():
        return False
    return digest(path) == value or (b"\r\n" in path.read_bytes() and value in _digests(path.read_bytes()))


def _digests(content: bytes) -> set[str]:
    """Return the MD5 of some content, and that which DVC 2 gave to text with the line ends of Windows."""
    unix = content.replace(b"\r\n", b"\n")
    return {hashlib.md5(kind, usedforsecurity=False).hexdigest() for kind in (content, unix)}
