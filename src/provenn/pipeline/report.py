"""What became of a pipeline run: for the terminal, for scripts, and for the pipeline's own run in MLflow."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenn.data.tasks import TASKS
from provenn.files import UserError, read_json
from provenn.pipeline.processes import Outcome
from provenn.pipeline.results import load_metrics

UP_TO_DATE: frozenset[Outcome] = frozenset({"ran", "restored", "unchanged"})


@dataclass
class Report:
    """The outcome of each stage, in the order of a serial run, and how long it took."""

    jobs: int
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    logs: dict[str, Path] = field(default_factory=dict)
    total_seconds: float = 0.0
    parent_run: str | None = None
    stopped_by: int | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many stages had each outcome."""
        return dict(Counter(self.outcomes.values()))

    @property
    def failed(self) -> list[str]:
        """The stages that failed."""
        return [name for name, outcome in self.outcomes.items() if outcome == "failed"]

    @property
    def exit_code(self) -> int:
        """0 when everything is up to date, 1 after a failure, 2 for bad parameters, 128 + the signal after a stop."""
        if self.stopped_by is not None:
            return 128 + self.stopped_by
        if "check_params" in self.failed:
            return 2
        return 1 if self.failed else 0

    @property
    def sentence(self) -> str:
        """The report in one line."""
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self.counts.items())
        stages = "1 stage" if len(self.outcomes) == 1 else f"{len(self.outcomes)} stages"
        return f"{stages}: {counts}; {self.total_seconds:.1f} s, {self.jobs} at once"

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
            "parent_run_id": self.parent_run,
            "stages": stages,
        }


@dataclass
class Summary:
    """What the pipeline's run shows: metrics and tags by name, and a Markdown description."""

    metrics: dict[str, float]
    tags: dict[str, str]
    description: str


def summarise(report: Report, root: Path = Path()) -> Summary:
    """Return the test results of each task's champion, where its evaluation is up to date, beside the stages' counts.

    The metrics are `<task>/test/…` as `evaluate` wrote them for the champion, which was chosen on validation.
    """
    metrics = {f"stages/{outcome}": float(count) for outcome, count in report.counts.items()}
    metrics |= {"time/pipeline_s": report.total_seconds, "time/stages_s": sum(report.seconds.values())}
    tags = {"provenn.jobs": str(report.jobs)}
    lines = [f"`provenn repro`, {report.sentence}.", ""]
    for task in TASKS.values():
        if report.outcomes.get(f"evaluate@{task.name}") not in UP_TO_DATE:
            continue
        try:
            champion = str(read_json(root / "results" / "evaluate" / task.name / "champion.json")["model"])
            found = load_metrics(task.name, root)
            value, low, high = (found[f"{champion}/test/primary{end}"] for end in ("", "_low", "_high"))
        except (UserError, KeyError):
            continue
        start = f"{champion}/test/"
        metrics |= {
            f"{task.name}/{name.removeprefix(f'{champion}/')}": v for name, v in found.items() if name.startswith(start)
        }
        tags[f"champion.{task.name}"] = champion
        lines.append(f"- **{task.name}** {champion}: {task.primary_metric} {value:.4f} ({low:.4f} to {high:.4f})")
    lines += [
        "",
        *(f"- {name} **{outcome}**" for name, outcome in report.outcomes.items() if outcome not in UP_TO_DATE),
    ]
    return Summary(metrics, tags, "\n".join(lines).strip())
