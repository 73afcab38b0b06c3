"""What still has a claim: every lock and .dvc file that git, DVC's experiments or a work tree hold."""

import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from provenn.entry import Entry
from provenn.files import UserError
from provenn.lock import LOCK, as_recorded, stages_in
from provenn.repository import git, git_root

DIGEST = re.compile(r"\b[0-9a-f]{32}(?:\.dir)?\b")
_FILES = (":(top,glob)**/dvc.lock", ":(top,glob)**/*.dvc")
_BLOBS_A_CALL = 200


@dataclass
class Needed:
    """Digests, those of DVC's objects among them, and keys of DVC's run cache."""

    digests: set[str] = field(default_factory=set)
    run_keys: set[str] = field(default_factory=set)

    def add(self, path: str, text: str) -> None:
        """Take in what a lock or a .dvc file names.

        A digest counts wherever it stands, so that a file that is cut, in conflict or of an old DVC keeps its objects.
        """
        from dvc.stage.cache import _get_cache_hash

        self.digests.update(DIGEST.findall(text))
        if posixpath.basename(path) != LOCK:
            return
        with suppress(Exception):  # no lock that DVC, or anything else, could read
            for stage in stages_in(text).values():
                entry = as_recorded(Entry("", "", {}, {}, {}), stage)
                self.digests.update(entry.deps.values(), entry.outs.values())  # those too that are no MD5
                self.run_keys.add(_get_cache_hash(dict(stage), key=True))


def find_needed(root: Path) -> Needed:
    """Return what is named in any commit of a branch, tag, stash or experiment, in git's index and in work trees.

    Raises UserError when a file of these or git's history cannot be read: what it names would be taken for garbage.
    """
    needed, top = Needed(), git_root(root)
    if top is None and any((folder / ".git").exists() for folder in (root, *root.parents)):
        raise UserError(
            f"git cannot read the repository of {root}, so nothing is removed: `git status` there says why."
        )
    for folder in _work_trees(top) if top else [root.resolve()]:
        try:
            _add_files(needed, folder)
        except OSError as error:
            raise UserError(
                f"{error.filename or folder} cannot be read ({error.strerror}), and a lock in it may need something: "
                "make it readable, then run `provenn gc` again."
            ) from None
    if top:
        for path, text in _in_git(top):
            needed.add(path, text)
    return needed


def _add_files(needed: Needed, top: Path) -> None:
    def refuse(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(top, onerror=refuse):
        inside = Path(folder).name == ".dvc"
        folders[:] = [name for name in folders if name != ".git" and not (inside and name == "cache")]
        for name in names:
            file = Path(folder, name)
            if file.is_symlink():  # DVC may link outputs to objects: such a file would be lost with its object
                needed.digests.update(DIGEST.findall("".join(Path(file.readlink()).parts[-2:])))
            elif name == LOCK or name.endswith(".dvc"):
                needed.add(file.relative_to(top).as_posix(), file.read_text(encoding="utf-8", errors="replace"))


def _work_trees(top: Path) -> list[Path]:
    listed = _git(top, "worktree", "list", "--porcelain").splitlines()
    folders = [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]
    return [top, *(folder for folder in folders if folder.is_dir() and not folder.resolve().is_relative_to(top))]


def _in_git(top: Path) -> Iterator[tuple[str, str]]:
    """Yield each version of each lock and .dvc file once, with its path below git's root."""
    refs = _git(top, "for-each-ref", "--format=%(refname)", "refs/stash", "refs/exps").split()
    # All that was stashed: a stash's ref is its newest alone. DVC keeps queued and failed experiments so.
    stashes = [ref for ref in refs if ref.endswith(("/stash", "/failed"))]
    stashed = [commit for ref in stashes for commit in _git(top, "rev-list", "--walk-reflogs", ref).split()]
    commits = _git(top, "rev-list", "--all", "--full-history", "--stdin", "--", *_FILES, given="\n".join(stashed))
    options = ("--stdin", "-m", "-r", "--root", "--no-renames", "--no-commit-id", "-z")
    changes = _git(top, "diff-tree", *options, "--", *_FILES, given=commits)
    found = {(path, blob) for blob, path in re.findall(r":\d+ \d+ \S+ (\w+) \w\0([^\0]+)\0", changes)}
    for folder in _work_trees(top):
        staged = _git(folder, "ls-files", "--stage", "-z", "--", *_FILES)
        found |= {(path, blob) for blob, path in re.findall(r"\d+ (\w+) \d\t([^\0]+)\0", staged)}
    wanted = sorted((path, blob) for path, blob in found if set(blob) != {"0"})  # zeros: the file was deleted
    for start in range(0, len(wanted), _BLOBS_A_CALL):
        yield from _contents(top, wanted[start : start + _BLOBS_A_CALL])


def _contents(top: Path, wanted: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    ids = "\n".join(blob for _, blob in wanted)
    raw = _git(top, "cat-file", "--batch", given=ids).encode("utf-8", "surrogateescape")
    at = 0
    for path, blob in wanted:
        header, _, _ = raw[at : at + 200].partition(b"\n")
        if header.split()[1:2] != [b"blob"]:
            raise UserError(f"git lacks {path} as {blob[:12]}, so nothing is removed: `git fsck` says what is lost.")
        begin = at + len(header) + 1
        at = begin + int(header.split()[2]) + 1
        yield path, raw[begin : at - 1].decode("utf-8", "replace")


def _git(top: Path, *arguments: str, given: str = "") -> str:
    answer = git(*arguments, root=top, given=given.encode())
    if answer is None:
        raise UserError(f"`git {arguments[0]}` fails in {top}, so nothing is removed: `git fsck` may say why.")
    return answer
