"""The results of the last `dvc repro`, as the commands show them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notes.data.tasks import TASKS, find_task
from notes.files import UserError, read_json, read_rows, read_values
from notes.intervals import interval_of


@dataclass(frozen=True)
class Comparison:
    """What a paired test found between a network and its counterpart in scikit-learn, and what differs between them.

    The difference is the network's metric minus the counterpart's, with the ends of its interval.
    """

    counterpart: str
    differs: str
    difference: float
    low: float
    high: float
    conclusion: str


@dataclass(frozen=True)
class ModelResult:
    """A model's result on `rows` test rows: its task's metric with the interval, and how it compares, if it does."""

    task: str
    model: str
    metric: str
    value: float
    low: float
    high: float
    champion: bool
    rows: int
    comparison: Comparison | None


def evaluated(root: Path = Path()) -> list[str]:
    """Return the tasks that `evaluate` has judged; raise UserError when there is none."""
    found = sorted(path.parent.name for path in (root / "results" / "evaluate").glob("*/models.json"))
    tasks = [*(name for name in TASKS if name in found), *(name for name in found if name not in TASKS)]
    if not tasks:
        raise UserError("results/evaluate holds no task: run `make repro` first.")
    return tasks


def load_results(root: Path = Path(), tasks: Iterable[str] = TASKS) -> list[ModelResult]:
    """Return every model's result, task by task, the best model first; raise UserError for a task without results."""
    results: list[ModelResult] = []
    for task in (find_task(name, root) for name in tasks):
        folder = _folder(root, task.name)
        metrics, measured = read_json(folder / "models.json"), f"/test/{task.primary_metric}"
        champion = read_json(folder / "champion.json")["model"]
        compared = {row["model"]: _comparison(row) for row in read_values(folder / "tables" / "paired_tests.csv")}
        rows = len(read_rows(folder / "tables" / "predictions.csv"))
        found = [
            ModelResult(
                task=task.name,
                model=model,
                metric=task.primary_metric,
                **interval_of(metrics, model, task.primary_metric)._asdict(),
                champion=model == champion,
                rows=rows,
                comparison=compared.get(model),
            )
            for model in (name.removesuffix(measured) for name in metrics if name.endswith(measured))
        ]
        results += sorted(found, key=lambda result: result.value, reverse=task.direction == "maximize")
    return results


def _comparison(row: dict[str, Any]) -> Comparison:
    difference, low, high = (float(row[f"difference{end}"]) for end in ("", "_low", "_high"))
    return Comparison(row["counterpart"], str(row["differs"]), difference, low, high, row["conclusion"])


def _folder(root: Path, task: str) -> Path:
    return root / "results" / "evaluate" / task
