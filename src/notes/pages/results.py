"""The results of the last `dvc repro`, as the commands show them."""

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


def load_metrics(task: str, root: Path = Path()) -> dict[str, float]:
    """Return what `evaluate` found, by `<model>/<metric>`; raise UserError when it has not run."""
    path = root / "results" / "evaluate" / task / "models.json"
    if not path.is_file():
        raise UserError(f"{path} is missing: run `make repro` first.")
    metrics: dict[str, float] = read_json(path)
    return metrics


def load_results(root: Path = Path()) -> list[ModelResult]:
    """Return every model's result, task by task, the best model first."""
    results: list[ModelResult] = []
    for task in TASKS.values():
        folder = root / "results" / "evaluate" / task.name
        metrics = load_metrics(task.name, root)
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
