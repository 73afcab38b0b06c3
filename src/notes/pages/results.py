"""The results of the last `dvc repro`, as the commands show them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from notes.data.tasks import TASKS
from notes.files import UserError, read_json, read_rows


@dataclass(frozen=True)
class ModelResult:
    """A model's result on the test set: its task's metric with the interval, and the test against its counterpart."""

    task: str
    model: str
    metric: str
    value: float
    low: float
    high: float
    champion: bool
    counterpart: str | None
    p_value: float | None


def evaluated(root: Path = Path()) -> list[str]:
    """Return the tasks that `evaluate` has judged; raise UserError when there is none."""
    tasks = [name for name in TASKS if (_folder(root, name) / "models.json").is_file()]
    if not tasks:
        raise UserError("results/evaluate holds no task: run `make repro` first.")
    return tasks


def load_results(root: Path = Path(), tasks: Iterable[str] = TASKS) -> list[ModelResult]:
    """Return every model's result, task by task, the best model first; raise UserError for a task without results."""
    results: list[ModelResult] = []
    for task in (TASKS[name] for name in tasks):
        folder = _folder(root, task.name)
        metrics = read_json(folder / "models.json")
        champion = read_json(folder / "champion.json")["model"]
        pairs = {row["model"]: row for row in read_rows(folder / "tables" / "paired_tests.csv")}
        found = [
            ModelResult(
                task=task.name,
                model=model,
                metric=task.primary_metric,
                value=metrics[f"{model}/test/primary"],
                low=metrics[f"{model}/test/primary_low"],
                high=metrics[f"{model}/test/primary_high"],
                champion=model == champion,
                counterpart=pairs[model]["counterpart"] if model in pairs else None,
                p_value=float(pairs[model]["p_value"]) if model in pairs else None,
            )
            for model in (name.removesuffix("/test/primary") for name in metrics if name.endswith("/test/primary"))
        ]
        results += sorted(found, key=lambda result: result.value, reverse=task.direction == "maximize")
    return results


def _folder(root: Path, task: str) -> Path:
    return root / "results" / "evaluate" / task
