"""One stage's entry put into a dvc.lock as text, which costs no parsing of the thousands of others."""

from pathlib import Path
from typing import Any

from provenn.fast_yaml import parse_yaml
from provenn.files import write_bytes
from provenn.lock_text import find_entry, is_plain, replace_entry


def put_entry(path: Path, whole: str) -> None:
    """Put the one stage of `whole`, a lock file as DVC writes it, into the lock file at `path`, as DVC would."""
    present = path.read_bytes().decode("utf-8", "surrogateescape") if path.is_file() else ""
    text = with_entry(present, whole)
    if text != present:
        write_bytes(path, text.encode("utf-8", "surrogateescape"))


def with_entry(present: str, whole: str) -> str:
    """Return the text of a lock file with the one stage of another."""
    if not present:
        return whole
    (name,) = parse_yaml(whole)["stages"]
    place = find_entry(whole, name)
    if place and is_plain(present):
        return replace_entry(present, name, whole[slice(*place)])
    return _as_dvc_does(present, whole)


def entry_of(whole: str) -> dict[str, Any]:
    """Return the entry of the one stage of a lock file, as plain values; one without outputs has none."""
    (entry,) = parse_yaml(whole)["stages"].values()
    return {"outs": []} | dict(entry)


def _as_dvc_does(present: str, whole: str) -> str:
    from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

    content = parse_yaml_for_update(present, "dvc.lock")
    content["stages"] = content.get("stages") or {}
    content["stages"].update(parse_yaml_for_update(whole, "dvc.lock")["stages"])
    return str(dumps_yaml(content))
