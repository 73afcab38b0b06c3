"""docs/images/performance.png: one panel a section."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(results: Mapping[str, Any], path: Path) -> None:
    pass


def shows(path: Path, results: Mapping[str, Any]) -> bool:
    return True
