"""One stage's entry put into a dvc.lock as text, which costs no parsing of the thousands of others."""

from pathlib import Path
from typing import Any

from provenn.files import write_bytes

_STAGES = "stages:"


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
    before, old, after = _parts(present)
    _, new, _ = _parts(whole)
    if old is None or new is None:
        return _as_dvc_does(present, whole)
    return "".join([*before, *(old | new).values(), *after])


def entry_of(whole: str) -> dict[str, Any]:
    """Return the entry of the one stage of a lock file, as DVC reads it."""
    from dvc.utils.serialize import parse_yaml

    (entry,) = parse_yaml(whole, "dvc.lock")["stages"].values()
    return dict(entry)


def _parts(text: str) -> tuple[list[str], dict[str, str] | None, list[str]]:
    """Return the lines up to the stages, each one's text by its first line, and the lines after; None if not DVC's."""
    lines = text.splitlines(keepends=True)
    start = next((number + 1 for number, line in enumerate(lines) if line.rstrip() == _STAGES), 0)
    end = next((number for number in range(start, len(lines)) if lines[number][0] not in " \n"), len(lines))
    stages: dict[str, str] = {}
    first = ""
    for line in lines[start:end]:
        if line.startswith("  ") and line[2] not in " \n":
            first = line
            if first in stages or not line.endswith(":\n"):
                return lines, None, []
        elif not first or (line.startswith(" ") and not line.startswith("    ") and line.strip()):
            return lines, None, []
        stages[first] = stages.get(first, "") + line
    return lines[:start], stages if start else None, lines[end:]


def _as_dvc_does(present: str, whole: str) -> str:
    from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

    content = parse_yaml_for_update(present, "dvc.lock")
    content["stages"] = content.get("stages") or {}
    content["stages"].update(parse_yaml_for_update(whole, "dvc.lock")["stages"])
    return str(dumps_yaml(content))
