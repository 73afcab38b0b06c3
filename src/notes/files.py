"""Reading and writing files: atomic writes, digests, tables, model files, and the error that users see."""

import csv
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class UserError(Exception):
    """A mistake that the user can mend: one sentence that says what is wrong, where, and what to do next."""


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


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON, floats in their shortest exact form; NaN and infinities raise ValueError."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path | str) -> Any:
    """Return the value of a JSON file; raise UserError when it is missing or not JSON."""
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise missing_file(path) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON ({error}): restore it with `dvc repro`.") from None


def write_rows(path: Path | str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write dictionaries with the same keys as a CSV table, one row each; no rows make an empty file."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        if rows:
            table = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)


def read_rows(path: Path | str) -> list[dict[str, str]]:
    """Return the rows of a CSV table, cells as text; raise UserError when the file is missing."""
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise missing_file(path) from None


def read_values(path: Path | str) -> list[dict[str, Any]]:
    """Return the rows of a CSV table with the values that were written: numbers, True and False; no empty cells."""
    return [{name: _value(cell) for name, cell in row.items() if cell} for row in read_rows(path)]


def digest(path: Path | str, algorithm: str = "md5") -> str:
    """Return the hexadecimal digest of a file: `md5` is the one DVC records, `sha256` the one publishers state."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        raise missing_file(path) from None


def save_tensors(path: Path | str, tensors: Mapping[str, "np.ndarray"], metadata: Mapping[str, Any]) -> None:
    """Write arrays and JSON metadata as one safetensors file; equal content gives equal bytes."""
    import numpy as np
    from safetensors.numpy import save

    # safetensors writes the memory as it lies there, whatever an array's strides say.
    packed = {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}
    text = {"provenn": json.dumps(metadata, sort_keys=True)}
    write_bytes(path, save(packed, metadata=text))


def load_tensors(path: Path | str) -> tuple[dict[str, "np.ndarray"], dict[str, Any]]:
    """Return the arrays and the metadata of a file that `save_tensors` wrote; raise UserError when it is not one."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise missing_file(path)
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = json.loads((file.metadata() or {})["provenn"])
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:  # TypeError: bfloat16
        raise UserError(f"{path} is not a model file of this project ({error}): restore it with `dvc repro`.") from None


def missing_file(path: Path | str) -> UserError:
    """Return the error for a file that is not there, with the command that restores it."""
    return UserError(f"{path} is missing: restore it with `dvc checkout {path}`, or make it with `dvc repro`.")


def _value(cell: str) -> Any:
    for read in (int, float, {"True": True, "False": False}.__getitem__):
        with suppress(ValueError, KeyError):
            return read(cell)
    return cell


def _flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
