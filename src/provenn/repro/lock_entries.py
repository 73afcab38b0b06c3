"""One stage's entry in dvc.lock, read and written without the others: DVC parses and writes all of them, for seconds.

That gives DVC's own bytes only where all other entries are as DVC writes them. So the digest of each lock file that DVC
has written as a whole, or that was changed here since, is kept; with any other content DVC's own code does the work.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from provenn.fast_yaml import parse_yaml
from provenn.files import digest, write_bytes
from provenn.lock_text import find_entry, is_plain, replace_entry

_WRITTEN = Path("provenn/locks.json")  # below DVC's temporary folder: path to digest


def is_as_read(path: Path, stage: str, text: str) -> bool:
    """Tell whether a stage's entry in a lock file still is what it was in the file's `text`, empty for no file."""
    try:
        present = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return not text
    except (OSError, UnicodeDecodeError):  # DVC says so
        return False
    return _entry(present, stage) == _entry(text, stage) and (is_plain(present) or _entry(present, stage) is not None)


def write_alone(stage: Any) -> None:
    """Make DVC, in this process, write the entry of this stage alone, and each lock file whole or not at all."""
    import dvc.dvcfile

    @contextmanager
    def modify(path: str, fs: Any = None) -> Iterator[dict[str, Any]]:
        file, kept = Path(path), Path(stage.repo.tmp_dir) / _WRITTEN
        known = _known(kept)
        text = file.read_text(encoding="utf-8") if file.is_file() and known.get(path) == digest(file) else ""
        if is_plain(text):
            place = find_entry(text, stage.name)
            entries = parse_yaml(text[slice(*place)]) if place else {}
            yield {"stages": entries}
            entry = _as_text(stage.name, entries[stage.name])
            if is_plain(entry):
                write_bytes(file, replace_entry(text, stage.name, entry.partition("\n")[2]).encode())
            else:
                with _whole(file) as content:
                    content["stages"].update(entries)
        else:
            with _whole(file) as content:
                yield content
        with suppress(OSError):  # a full disk
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(json.dumps(known | {path: digest(file)}))

    dvc.dvcfile.modify_yaml = modify


@contextmanager
def _whole(file: Path) -> Iterator[dict[str, Any]]:
    """Do as DVC's own `modify_yaml`, which empties the file first: who reads it then finds no lock."""
    from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

    content = parse_yaml_for_update(file.read_text(encoding="utf-8") if file.is_file() else "", str(file))
    yield content
    write_bytes(file, dumps_yaml(content).encode())


def _entry(text: str, stage: str) -> str | None:
    place = find_entry(text, stage)
    return text[slice(*place)] if place else None


def _known(kept: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        content = json.loads(kept.read_bytes())
        return content if isinstance(content, dict) else {}
    return {}


def _as_text(name: str, entry: Any) -> str:
    from dvc.utils.serialize import dumps_yaml

    return str(dumps_yaml({"stages": {name: entry}}))
