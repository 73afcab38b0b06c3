"""How long stages took, so that the next run starts the longest chain of them first."""

import json
from contextlib import suppress
from pathlib import Path

from provenn.files import write_json
from provenn.repro.report import Report

FILE = Path(".dvc/tmp/provenn/durations.json")  # below the repository's root


def known_durations(root: Path) -> dict[str, float]:
    """Return the seconds that stages took when they last ran."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        known = json.loads((root / FILE).read_bytes())
        return {str(name): float(seconds) for name, seconds in known.items()}
    return {}


def remember_durations(root: Path, report: Report) -> None:
    """Keep the seconds of the stages that ran."""
    ran = {name: round(report.seconds[name], 2) for name, outcome in report.outcomes.items() if outcome == "ran"}
    if ran:
        with suppress(OSError):
            write_json(root / FILE, known_durations(root) | ran)
