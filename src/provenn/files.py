"""Files written whole or not at all, their digests, and the error that users see."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provenn.addresses import shown_uri

_TEMPORARY = re.compile(r"\.(.+)\.[a-z0-9_]{8}\.tmp")  # as tempfile makes them for `atomic_path`


class UserError(Exception):
    """A mistake that the user can mend: one sentence that says what is wrong, where, and what to do next.

    It shows no password of a URI.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(shown_uri(sentence))


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary sibling of `path` to write to; it takes the final name only when the block succeeds.

    The file and its folder are flushed to disk before the return. After an error nothing is left behind and a file
    that stood there before is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; outputs get the permissions that open() would have given them.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        _flush_to_disk(temporary)
        temporary.replace(path)
        _flush_to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def written_for(name: str) -> str | None:
    """Return the name of the file for which `atomic_path` makes one with this name; None if it makes none."""
    match = _TEMPORARY.fullmatch(name)
    return match and match[1]


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON, floats in their shortest exact form; NaN and infinities raise ValueError."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def digest(path: Path | str) -> str:
    """Return the MD5 of a file, which DVC records."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file, by which everybody else knows it."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def one_line(error: BaseException) -> str:
    """Return an error's message in one line that ends like a sentence, without the passwords of URIs."""
    return (shown_uri(" ".join(str(error).split())) or type(error).__name__).rstrip(".") + "."
