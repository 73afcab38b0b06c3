"""The repository: its root, its commits, and what is changed in it but not committed."""

import os
import subprocess
import tempfile
from collections.abc import Collection
from pathlib import Path

from provenn.files import UserError
from provenn.secret_scan import holds_secrets, why_hidden

EXPERIMENT = "dvc.experiment"  # the tag with the name of DVC's experiment
PATCH_LIMIT = 1_000_000  # characters
# Files that git does not know yet are taken into a patch only when their name says that they are source.
SOURCE_SUFFIXES = frozenset(
    [
        ".py",
        ".pyi",
        ".ipynb",
        ".r",
        ".jl",
        ".sh",
        ".sql",
        ".c",
        ".cpp",
        ".h",
        ".cu",
        ".rs",
        ".go",
        ".java",
        ".js",
        ".ts",
        ".yaml",
        ".yml",
        ".toml",
        ".json",
        ".cfg",
        ".ini",
        ".dvc",
    ]
)


def find_root(start: Path | None = None) -> Path:
    """Return the root of the DVC repository around a folder, by default the working one; UserError outside of any."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir():
            return folder
    raise UserError(f"{here} is not inside a DVC repository: go to one, or make one with `dvc init`.")


def git(
    *arguments: str, root: Path | str, environment: dict[str, str] | None = None, given: bytes | None = None
) -> str | None:
    """Return what a git command prints, or None when it fails or git is missing; it reads `given`."""
    command = ["git", "-C", str(root), *arguments]
    # A hook of git exports GIT_DIR, which would point every command at the hook's repository.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        finished = subprocess.run(
            command, capture_output=True, timeout=60, env=inherited | (environment or {}), input=given
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return finished.stdout.decode("utf-8", "surrogateescape") if finished.returncode == 0 else None


def git_root(root: Path) -> Path | None:
    """Return the top of the git repository that the DVC repository lies in, or None without git."""
    top = (git("rev-parse", "--show-toplevel", root=root) or "").strip()
    return Path(top).resolve() if top else None


def head(root: Path) -> str | None:
    """Return the commit that is checked out; None without git or before the first commit."""
    return (git("rev-parse", "--verify", "HEAD", root=root) or "").strip() or None


def has_commit(root: Path, commit: str) -> bool:
    """Return whether this clone has the commit."""
    return git("cat-file", "-e", f"{commit}^{{commit}}", root=root) is not None


def commits_with_locks(root: Path) -> list[str]:
    """Return the commits of all branches and tags that changed a dvc.lock, the oldest first."""
    arguments = ("--reverse", "--topo-order", "--branches", "--tags", "HEAD", "--", ":(glob)**/dvc.lock")
    return (git("rev-list", *arguments, root=root) or "").split()


def commit_tags(root: Path, outputs: Collection[str] = ()) -> dict[str, str]:
    """Return the tags that say from which commit a run is, and whether anything in it was changed; none without git.

    What the pipeline itself writes, `outputs` and its locks, is no change.
    """
    commit = head(root)
    if commit is None:
        return {}
    tags = {"git.commit": commit, "git.dirty": str(bool(_changed(root, outputs))).lower()}
    experiment = os.environ.get("DVC_EXP_NAME")
    return tags | ({EXPERIMENT: experiment} if experiment else {})


def uncommitted_patch(root: Path, outputs: Collection[str] = ()) -> tuple[str | None, str]:
    """Return what turns the commit into what is here, as a patch for `git apply` at git's root, and a note.

    Taken are files that git tracks, and new ones whose names say that they are source; never one whose name says that
    it holds secrets, of which the note tells when git tracks it. The patch is None, and the note says why, when it is
    larger than PATCH_LIMIT or seems to hold a secret.
    """
    top = git_root(root)
    changed = _changed(root, outputs)
    if top is None or not changed:
        return None, "left out: nothing is changed"
    hidden = [path for path in changed if holds_secrets(path)]
    taken = [path for path in changed if path not in hidden]
    without = f"without {', '.join(hidden)}: such a file holds secrets" if hidden else ""
    if not taken:
        return None, f"left out: {without}"
    with tempfile.TemporaryDirectory() as folder:
        # An index of its own: the user's staged changes stay as they are.
        environment = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        git("read-tree", "HEAD", root=top, environment=environment)
        # These files alone. `git add` takes a path for a pattern, or for a folder with all that lies in it.
        arguments = ("update-index", "--add", "--remove", "--replace", "-z", "--stdin")
        paths = "".join(f"{path}\0" for path in taken).encode("utf-8", "surrogateescape")
        done = git(*arguments, root=top, environment=environment, given=paths)
        arguments = ("diff", "--cached", "--binary", "--no-color", "--no-ext-diff", "HEAD")
        patch = git(*arguments, root=top, environment=environment) if done is not None else None
    if patch is None:
        return None, "left out: git could not make it"
    if len(patch) > PATCH_LIMIT:
        return None, f"left out: {len(patch):,} characters, more than {PATCH_LIMIT:,}"
    if reason := why_hidden(patch):
        return None, f"left out: {reason}"
    return patch, without


def _changed(root: Path, outputs: Collection[str]) -> list[str]:
    """Return the changed sources, relative to git's root."""
    top = git_root(root)
    if top is None:
        return []
    status = git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", root=top) or ""
    prefix = os.path.relpath(root.resolve(), top)
    written = [os.path.normpath(f"{prefix}/{path}") for path in outputs]
    found = []
    for line in filter(None, status.split("\0")):
        state, path = line[:2], line[3:]
        made = Path(path).name == "dvc.lock" or any(path == out or path.startswith(f"{out}/") for out in written)
        is_source = Path(path).suffix.lower() in SOURCE_SUFFIXES and not holds_secrets(path)
        if not made and (state != "??" or (is_source and not path.endswith("/"))):  # a folder is another repository
            found.append(path)
    return found
