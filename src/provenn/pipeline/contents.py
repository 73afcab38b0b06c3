"""Finding a file by its digest: in the working folder, in DVC's cache, or in git's history."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from provenn.files import digest, write_bytes
from provenn.tracking.entry import StageEntry, directory_digest
from provenn.tracking.origin import git


class Contents:
    """Where the content of a path of the repository at `root` may still be found.

    `lock` says which files a folder consists of that several stages wrote: DVC has no listing of such a folder.
    """

    def __init__(self, root: Path, lock: Mapping[str, StageEntry]) -> None:
        from dvc.repo import Repo

        self.root = root
        repo = Repo(str(root))
        self._cache = Path(repo.cache.local.path)
        self._remotes = list(repo.config["remote"])
        self._made = {path: value for entry in lock.values() for path, value in entry.outs.items()}

    def listing(self, path: str, value: str) -> dict[str, str] | None:
        """Return the files of a folder, relative path to digest, or None when nobody knows them any more."""
        made = {name.removeprefix(f"{path}/"): made for name, made in self._made.items() if name.startswith(f"{path}/")}
        if directory_digest(made) == value:
            return made
        cached = self._object(value)
        if cached:
            return {item["relpath"]: item["md5"] for item in json.loads(cached.read_bytes())}
        here = self.root / path
        present = {str(file.relative_to(here)): digest(file) for file in sorted(here.rglob("*")) if file.is_file()}
        return present if directory_digest(present) == value else None

    def is_here(self, path: str, value: str) -> bool:
        """Return whether the working folder holds exactly this content at `path`."""
        here = self.root / path
        if not value.endswith(".dir"):
            return here.is_file() and digest(here) == value
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
        here, cached = self.root / path, self._object(value)
        source = here if here.is_file() and digest(here) == value else cached
        target.parent.mkdir(parents=True, exist_ok=True)
        if source:
            shutil.copyfile(source, target)
            return []
        content = self._from_history(path, value)
        if content is None:
            return [path]
        write_bytes(target, content)
        return []

    def how_to_get(self, name: str) -> str:
        """Return the command that brings what is nowhere, in words; `name` is a stage or a path."""
        if not self._remotes:
            return f"make it with `dvc repro {name}` (no DVC remote is set up to pull it from)"
        return f"`dvc pull {name}` (from {' or '.join(self._remotes)}), or `dvc repro {name}` when no remote has it"

    def _object(self, value: str) -> Path | None:
        path = self._cache / value[:2] / value[2:]
        # DVC itself trusts a cache file without a look: a truncated one would be shown as the result.
        return path if path.is_file() and digest(path) == value.removesuffix(".dir") else None

    def _from_history(self, path: str, value: str) -> bytes | None:
        for commit in (git("rev-list", "--all", "HEAD", "--", path, root=self.root) or "").split():
            content = git("show", f"{commit}:./{path}", root=self.root)
            if content is not None:
                raw = content.encode("utf-8", "surrogateescape")
                if hashlib.md5(raw, usedforsecurity=False).hexdigest() == value:
                    return raw
        return None
