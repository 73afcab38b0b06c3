"""Where a run comes from: commit, uncommitted changes, numeric platform, process."""

import os
import re
import socket
import subprocess
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

# What decides a stage's result and is kept in git. What the pipeline itself rewrites is no difference of these.
SHARED_SOURCES = ("src", "stages", "requirements.lock")
OWN_SOURCES = ("params.yaml", "dvc.yaml")
PATCH_LIMIT = 1_000_000  # characters
PATCH_FILE = "provenance/changes.patch"
_SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{30,}|\bgithub_pat_\w{30,}|\bxox[abprs]-\w{10,}|\bsk-[\w-]{20,}"
    r"|://[^/\s:@]+:[^/\s@]+@"
    r"|(?i:password|passwd|secret|token|api_?key)[\"']?\s*[:=]\s*[\"']?[^\s\"'(){}\[\]]{8,}"
)


def git(*arguments: str, root: Path | str = ".", environment: dict[str, str] | None = None) -> str | None:
    """Return what a git command prints, or None when it fails or git is missing."""
    command = ["git", "-C", str(root), *arguments]
    # A hook of git exports GIT_DIR, which would point every command at the hook's repository.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        finished = subprocess.run(command, capture_output=True, timeout=60, env=inherited | (environment or {}))
    except (OSError, subprocess.TimeoutExpired):
        return None
    return finished.stdout.decode("utf-8", "surrogateescape") if finished.returncode == 0 else None


def outer_project(root: Path | str) -> Path:
    """Return the project whose code and store an experiment within it shares; any other project is its own."""
    here = Path(root).resolve()
    return next(
        (folder for folder in here.parents if (folder / ".dvc").is_dir() and (folder / "stages").is_dir()), here
    )


def sources(root: Path | str) -> list[str]:
    """Return the paths of the sources, relative to the project at `root`."""
    shared = os.path.relpath(outer_project(root), Path(root).resolve())
    return [*(os.path.normpath(f"{shared}/{name}") for name in SHARED_SOURCES), *OWN_SOURCES]


def git_tags(root: Path | str = ".") -> dict[str, str]:
    """Return the commit that is checked out and whether code or parameters differ from it; empty outside git."""
    commit = (git("rev-parse", "HEAD", root=root) or "").strip()
    if not commit:
        return {}
    changes = (git("status", "--porcelain", "--", *sources(root), root=root) or "").strip()
    tags = {"git.commit": commit, "git.dirty": str(bool(changes)).lower()}
    experiment = os.environ.get("DVC_EXP_NAME")
    return tags | ({"dvc.exp": experiment} if experiment else {})


def uncommitted_patch(root: Path | str = ".") -> tuple[str | None, str]:
    """Return what turns the commit's sources into these, new files included, as a patch for `git apply`, and a note.

    The patch is None, and the note says why, when it is larger than PATCH_LIMIT or seems to hold a secret.
    """
    with tempfile.TemporaryDirectory() as folder:
        # An index of its own: the user's staged changes stay as they are.
        environment = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        present = [name for name in sources(root) if Path(root, name).exists()]
        git("read-tree", "HEAD", root=root, environment=environment)
        git("add", "--all", "--", *present, root=root, environment=environment)
        arguments = ("diff", "--cached", "--binary", "--no-color", "--no-ext-diff", "HEAD", "--", *sources(root))
        patch = git(*arguments, root=root, environment=environment)
    if patch is None:
        return None, "left out: git could not make it"
    if len(patch) > PATCH_LIMIT:
        return None, f"left out: {len(patch):,} characters, more than {PATCH_LIMIT:,}"
    if any(_SECRETS.search(line) for line in patch.splitlines() if line.startswith("+")):
        return None, "left out: a line looks like a password or a key"
    return patch, PATCH_FILE


@cache
def numeric_platform() -> str:
    """Return what the bits of a result depend on besides its inputs: instruction set, BLAS, threads, torch."""
    import numpy as np
    from threadpoolctl import threadpool_info

    features = np._core._multiarray_umath.__cpu_features__  # type: ignore[attr-defined]
    instruction_set = next((name for name in ("AVX512F", "AVX2", "ASIMD") if features.get(name)), "baseline")
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    blas = sorted(
        {" ".join(filter(None, (pool["internal_api"], pool["version"], pool.get("architecture")))) for pool in pools}
    )
    threads = os.environ.get("OMP_NUM_THREADS", "default")
    machine = os.uname().machine
    return f"{machine} {instruction_set}; {', '.join(blas)}; threads {threads}; torch {version('torch')}"


def process_tag(process: int | None = None) -> str:
    """Return what names a process, this one by default, for good: host, number, and the second at which it began."""
    import psutil

    found = psutil.Process(process)
    return f"{socket.gethostname()} {found.pid} {found.create_time():.0f}"


def process_is_dead(tag: str) -> bool:
    """Return whether the process of a `process_tag` has ended; False when it ran on another host."""
    import psutil

    host, _, rest = tag.partition(" ")
    number, _, began = rest.partition(" ")
    if host != socket.gethostname() or not number.isdigit():
        return False
    try:
        process = psutil.Process(int(number))
        # The number is given to another process later. The clock may have been set meanwhile, by a little.
        return bool(process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - float(began)) > 5)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
