"""The files that a person wrote, as one tar file whose bytes depend on their content alone, and a folder with them."""

import io
import os
import shutil
import stat
import tarfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenn.files import UserError
from provenn.repository import git, git_root
from provenn.secret_scan import holds_secrets

# Of DVC's own folder only what is committed travels: neither its local settings, which hold credentials, nor its cache.
PRIVATE = (".dvc/config.local", ".dvc/tmp", ".dvc/cache")


@dataclass(frozen=True)
class Sources:
    """The files, relative to `top`: git's root, or DVC's without git."""

    top: Path
    files: frozenset[str]

    def pack(self, path: Path) -> None:
        """Write the files to a tar file: sorted, without times, owners and other modes than `x`."""
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
            for name in sorted(self.files):
                file = self.top / name
                status = file.lstat()
                info = tarfile.TarInfo(name)
                info.mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
                if stat.S_ISLNK(status.st_mode):
                    info.type, info.linkname = tarfile.SYMTYPE, str(file.readlink())
                    archive.addfile(info)
                else:
                    content = file.read_bytes()
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))


def find_sources(repo: Any) -> Sources:
    """Return what git tracks or does not ignore, without what stages write; without git, all that DVC does not ignore.

    New files whose names say that they hold secrets are left out. Raises UserError when git does not answer.
    """
    root = Path(repo.root_dir).resolve()
    top = git_root(root)
    if top is None:
        top = root
        found = {os.path.relpath(file, top) for file in repo.dvcignore.find(repo.fs, repo.root_dir)}
        found = {name for name in found if Path(name).parts[0] != "mlruns" and not holds_secrets(name)}
    else:
        tracked = git("ls-files", "-z", "--cached", "--recurse-submodules", root=top)
        new = git("ls-files", "-z", "--others", "--exclude-standard", root=top)
        if tracked is None or new is None:
            raise UserError(f"git cannot list the files of {top}: `git -C {top} status` says why.")
        found = {*tracked.split("\0"), *(name for name in new.split("\0") if not holds_secrets(name))}
    prefix = os.path.relpath(root, top)
    written = {os.path.relpath(out.fs_path, top) for out in repo.index.outs if out.protocol == "local"}
    left_out = written | {os.path.normpath(f"{prefix}/{name}") for name in PRIVATE}
    files = {name for name in found if name and Path(name).name != "dvc.lock" and not is_below(name, left_out)}
    return Sources(top, frozenset(name for name in files if (top / name).is_symlink() or (top / name).is_file()))


def is_below(name: str, folders: Iterable[str] | set[str]) -> bool:
    """Tell whether a relative path is one of some paths, or lies below one of them."""
    known = folders if isinstance(folders, set) else set(folders)
    return name in known or any(str(parent) in known for parent in Path(name).parents)


def lay_out(archive: Path, folder: Path, kept: Iterable[str]) -> None:
    """Make a folder hold what a tar file has, and of what else is there only the paths that are `kept`.

    Files are of now: DVC remembers digests by inode, size and time, and a new file often gets the inode of an old one.
    """
    with tarfile.open(archive) as content:
        names = content.getnames()
        wanted = {*names, *kept}
        _sweep(folder, wanted, {str(parent) for name in wanted for parent in Path(name).parents})
        content.extraction_filter = lambda member, path: member  # ours: its digest was compared
        for member in content:
            _remove(folder / member.name)
            member.mtime = time.time()
            content.extract(member, folder)


def _sweep(folder: Path, wanted: set[str], parents: set[str], below: str = "") -> None:
    with os.scandir(folder / below) as entries:
        for entry in list(entries):
            name = f"{below}/{entry.name}" if below else entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if name in wanted:
                continue
            if is_folder and name in parents:
                _sweep(folder, wanted, parents, name)
            else:
                _remove(Path(entry.path))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
