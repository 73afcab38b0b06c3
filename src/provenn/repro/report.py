"""What became of a pipeline run, for the terminal and for scripts."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from provenn.repro.processes import Outcome
from provenn.repro.repeated import Repetition

UP_TO_DATE: frozenset[Outcome] = frozenset({"ran", "restored", "unchanged"})


@dataclass
class Report:
    """The outcome of each stage, in the order of a serial run, and how long it took."""

    jobs: int
    where: str = ""  # the engine, if not this machine
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    logs: dict[str, Path] = field(default_factory=dict)
    total_seconds: float = 0.0
    stopped_by: int | None = None
    repetition: Repetition = field(default_factory=lambda: Repetition([], [], []))

    @property
    def counts(self) -> dict[str, int]:
        """How many stages had each outcome."""
        return dict(Counter(self.outcomes.values()))

    @property
    def failed(self) -> list[str]:
        """The stages that failed."""
        return [name for name, outcome in self.outcomes.items() if outcome == "failed"]

    @property
    def status(self) -> str:
        """How the run ended, in MLflow's words."""
        return "KILLED" if self.stopped_by else "FAILED" if self.failed else "FINISHED"

    @property
    def exit_code(self) -> int:
        """0 when everything is up to date, 1 after a failure, 128 + the signal after a stop."""
        return 128 + self.stopped_by if self.stopped_by is not None else int(bool(self.failed))

    @property
    def sentence(self) -> str:
        """The report in one line, and one on whether results came out again."""
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self.counts.items())
        stages = "1 stage" if len(self.outcomes) == 1 else f"{len(self.outcomes)} stages"
        told = f"\n{self.repetition.sentence}" if self.repetition.sentence else ""
        return f"{stages}: {counts}; {self.total_seconds:.1f} s, {self.where or f'{self.jobs} at once'}{told}"

    def as_json(self) -> dict[str, Any]:
        """Return the report for a script."""
        stages = [
            {"stage": name, "outcome": outcome, "seconds": round(self.seconds.get(name, 0.0), 2)}
            | ({"log": str(self.logs[name])} if name in self.logs else {})
            for name, outcome in self.outcomes.items()
        ]
        return {
            "exit_code": self.exit_code,
            "jobs": self.jobs,
            "seconds": round(self.total_seconds, 2),
            "counts": self.counts,
            "repeated": asdict(self.repetition),
            "stages": stages,
        }
