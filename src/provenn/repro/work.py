"""A stage that is being brought up to date, wherever that happens: what the runner and its watchers ask of it."""

import hashlib
import os
from pathlib import Path
from typing import Protocol

from provenn.repro.processes import Outcome

FOLDER = Path(".dvc/tmp/provenn")  # logs and durations, below the repository's root


class Work(Protocol):
    """A process on this machine (`processes.StageProcess`), or a job at an engine (`engines.dispatch.EngineStage`)."""

    name: str
    log: Path

    @property
    def seconds(self) -> float:
        """Seconds since it was started, or that it took."""

    @property
    def exit_code(self) -> int | None:
        """0 for success, which a cache that took no output does not spoil; None while it runs."""

    @property
    def outcome(self) -> Outcome | None:
        """What became of the stage; None while it runs."""

    @property
    def busy(self) -> bool:
        """Tell whether DVC refused to begin because another process holds files of this stage."""

    @property
    def was_killed(self) -> bool:
        """Tell whether it may have left lock files cut on this machine."""

    def last_line(self) -> str:
        """Return the last line of the stage's output."""

    def tell(self, order: bytes) -> None:
        """Send an order of `supervisor`."""

    def end_rest(self) -> None:
        """End what it has left running."""


class View(Protocol):
    """Whoever watches a run."""

    def started(self, process: Work) -> None:
        """A stage was started."""

    def finished(self, name: str, outcome: Outcome, seconds: float) -> None:
        """It is settled what becomes of a stage."""

    def note(self, text: str) -> None:
        """Something else that the user should know."""


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def log_path(root: Path, name: str) -> Path:
    """Return the file that holds the output of a stage's last process."""
    plain = name.replace("/", "_").replace(":", "_")[:100]
    apart = "" if plain == name else f"-{hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:8]}"
    return root / FOLDER / "logs" / f"{plain}{apart}.log"
