"""What no output may hold, kept beside the store: when a run took place, how long, from which commit, on what.

A record lets a rebuilt store show a run's durations. It lies in .dvc/tmp, is local to the clone, and may be lost.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from provenn.files import write_json
from provenn.tracking.entry import StageEntry


@dataclass
class Record:
    """One run of a stage: its key and outputs, begin and end (ms since 1970), its own metrics and tags, its patch."""

    stage: str
    key: str
    outs: dict[str, str]
    started: int
    ended: int
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    patch: str | None = None

    def save(self, root: Path) -> None:
        """Write the record into the repository at `root`; the newest of a key stays."""
        write_json(_path(root, self.key), asdict(self))


def find_record(root: Path, entry: StageEntry) -> Record | None:
    """Return the record of the run that made this entry's outputs, if it is there and readable."""
    try:
        record = Record(**json.loads(_path(root, entry.key).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return record if (record.stage, record.outs) == (entry.name, entry.outs) else None


def _path(root: Path, key: str) -> Path:
    return root / ".dvc" / "tmp" / "provenn" / "records" / f"{key}.json"
