"""Pictures among the plots of two sides."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provenn.entry import Entry
from provenn.report.side import NOTHING, Side, written

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
        before, after = base.entries.get(name, NOTHING), head.entries.get(name, NOTHING)
        if written(before, before.plots) == written(after, after.plots):
            continue  # so that nothing unchanged is missed
        old, new = _pictures(base, before), _pictures(head, after)
        for path in dict.fromkeys([*new, *old]):
            if old.get(path) != new.get(path):
                found.append(Figure(name, path, _brought(base, before, path), _brought(head, after, path)))
    return found


def _pictures(side: Side, entry: Entry) -> dict[str, str]:
    files = [side.files(entry, path) or {} for path in entry.plots]
    return {path: value for found in files for path, value in found.items() if Path(path).suffix.lower() in KINDS}


def _brought(side: Side, entry: Entry, path: str) -> Path | None:
    brought, _ = side.bring(entry, [path])
    return brought.root / path if (brought.root / path).is_file() else None
