"""Pictures among the plots of two sides."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provenn.entry import Entry
from provenn.report.side import Side

KINDS: Mapping[str, str] = {
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}


@dataclass(frozen=True)
class Figure:
    """A picture that is not the same on both sides: the files, None where there is none or it is nowhere."""

    stage: str
    path: str
    before: Path | None
    after: Path | None


def changed_figures(base: Side, head: Side) -> list[Figure]:
    """Return the pictures whose content is not the same on both sides."""
    found = []
    for name in dict.fromkeys([*head.entries, *base.entries]):
        old, new = _pictures(base, name), _pictures(head, name)
        for path in dict.fromkeys([*new, *old]):
            if old.get(path) != new.get(path):
                found.append(Figure(name, path, _brought(base, name, path, old), _brought(head, name, path, new)))
    return found


def _pictures(side: Side, name: str) -> dict[str, str]:
    entry = side.entries.get(name)
    files = [side.files(entry, path) for path in entry.plots] if entry else []
    return {path: value for found in files for path, value in found.items() if Path(path).suffix.lower() in KINDS}


def _brought(side: Side, name: str, path: str, pictures: Mapping[str, str]) -> Path | None:
    if path not in pictures:
        return None
    entry: Entry = side.bring(side.entries[name], [path])
    return entry.root / path if (entry.root / path).is_file() else None
