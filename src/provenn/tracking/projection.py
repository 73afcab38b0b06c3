"""What an MLflow run shows of a stage, read from the stage's entry and its output files alone.

A stage that has just run and a stage that DVC restored from its cache are shown by the same functions.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provenn.data.tasks import TASKS
from provenn.files import read_json, read_rows
from provenn.tracking.entry import StageEntry

FRAMEWORKS = {".safetensors": "pytorch", ".skops": "sklearn", ".onnx": "onnx"}
TEST_RESULT = "- **test/primary**"
TAG_LIMIT = 8000
PARAM_LIMIT = 6000


def task_of(entry: StageEntry) -> str | None:
    """Return the task that a stage's item names: `mnist` of `train_mlp@mnist_mlp`; None for stages over all tasks."""
    if entry.stage == "study":  # `linear_collapse` is no model of the task linear
        return None
    return next((task for task in TASKS if entry.item and entry.item.split("-")[0].split("_")[0] == task), None)


def experiment_of(entry: StageEntry) -> str:
    """Return the MLflow experiment of a stage."""
    if entry.stage == "study":
        return "studies"
    task = task_of(entry)
    if task is None:
        return "pipeline"
    return task if task in ("moons", "mnist") else "regression"


def run_name(entry: StageEntry) -> str:
    """Return what a run is called: the model that the stage trains, or else the stage."""
    model = model_path(entry)
    return Path(model).stem if model and entry.stage.startswith("train_") else entry.name


def model_path(entry: StageEntry) -> str | None:
    """Return the model file that a stage writes, if it writes one."""
    return next((path for path in entry.out_paths if Path(path).suffix in FRAMEWORKS), None)


def parameters_of(entry: StageEntry) -> dict[str, str]:
    """Return the stage's parameters as MLflow keeps them: text, cut at its limit."""
    return {name: _text(value)[:PARAM_LIMIT] for name, value in entry.settings.items()}


def tags_of(entry: StageEntry) -> dict[str, str]:
    """Return the tags by which a run, a lock entry and a file find each other, and what the run is about."""
    tags = {"dvc.stage": entry.name, "dvc.key": entry.key, "mlflow.source.type": "LOCAL"}
    # An experiment within the project reads ../../src/…, which MLflow refuses as a name.
    deps = {path.removeprefix("../../"): value for path, value in entry.deps.items()}
    tags["mlflow.source.name"] = next((path for path in deps if path.startswith("stages/")), entry.command)
    tags |= {f"dvc.dep.{path}": value for path, value in deps.items()}
    tags |= {f"dvc.out.{path}": value for path, value in entry.outs.items()}
    if "requirements.lock" in deps:
        tags["env.lock"] = deps["requirements.lock"]
    data = {path: value for path, value in entry.deps.items() if path.startswith("data/")}
    if data:
        tags["data.digest"] = " ".join(data.values())
    task, model = task_of(entry), model_path(entry)
    if task:
        tags |= {"task": task, "primary.direction": TASKS[task].direction}
    if model:
        tags |= {"model": Path(model).stem, "framework": FRAMEWORKS[Path(model).suffix]}
    if entry.outs and (verdict := _verdict_of(entry)):
        tags |= {"study.verdict": verdict["text"]}
    return {name: value[:TAG_LIMIT] for name, value in tags.items()}


def metrics_of(entry: StageEntry) -> dict[str, float]:
    """Return the numbers of the stage's metrics file."""
    return _numbers(entry, "metrics.json")


def kept_metrics_of(entry: StageEntry) -> tuple[int, dict[str, float]]:
    """Return the step and the numbers by which MLflow's table shows the model that was kept.

    MLflow shows a metric's last step, which need not be the epoch that was kept. So what the metrics file says and the
    history's last row does not is logged at the last step once more.
    """
    values, history = metrics_of(entry), history_of(entry)
    last = history[-1] if history else {}
    step = int(last.get("epoch", 0))
    return step, {name: value for name, value in values.items() if name != "epoch" and last.get(name) != value}


def history_of(entry: StageEntry) -> list[dict[str, float]]:
    """Return the stage's history, a record an epoch."""
    path = next((path for path in entry.out_paths if Path(path).name == "history.csv"), None)
    return [{name: float(value) for name, value in row.items()} for row in read_rows(entry.root / path)] if path else []


def artifacts_of(entry: StageEntry) -> list[Path]:
    """Return the files of results/ that the stage wrote: figures, tables, histories, metrics."""
    files: list[Path] = []
    for name in entry.out_paths:
        out = entry.root / name
        if Path(name).parts[0] == "results":
            files += sorted(path for path in out.rglob("*") if path.is_file()) if out.is_dir() else [out]
    return files


def judged_models(entry: StageEntry) -> dict[str, str]:
    """Return the model files that a stage judges over several seeds, with their digests; their runs stand below its."""
    if entry.stage != "evaluate_seeds":
        return {}
    return {path: value for path, value in entry.deps.items() if path.startswith("models/")}


def test_metrics_of(entry: StageEntry) -> dict[str, dict[str, float]]:
    """Return what an evaluation says of each model, by the model's name: its metrics of the test set."""
    found: dict[str, dict[str, float]] = {}
    for name, value in _numbers(entry, "models.json").items():
        model, _, metric = name.partition("/")
        if metric.startswith("test/"):
            found.setdefault(model, {})[metric] = value
    return found


def description_of(entry: StageEntry) -> str:
    """Return a run's Markdown description: what it is, its result, how to reproduce it."""
    lines = [entry.description or entry.name, ""]
    metrics = metrics_of(entry)
    lines += [f"- **{name}** {value:.6g}" for name, value in metrics.items() if name.startswith("val/")]
    if judged_models(entry):
        low, high = metrics["test/accuracy_low"], metrics["test/accuracy_high"]
        lines += [f"- **mean test accuracy** {metrics['test/accuracy']:.5f} [{low:.5f}, {high:.5f}]"]
    if verdict := _verdict_of(entry):
        lines += [f"**Claim:** {verdict['claim']}", "", f"**Verdict: {verdict['text']}.** {verdict['finding']}.", ""]
        lines += [f"- {verdict['effect']}: {verdict['value']:.4g} ({verdict['low']:.4g} to {verdict['high']:.4g})"]
    lines += [f"- `{path}` `{value}`" for path, value in entry.outs.items() if path == model_path(entry)]
    return "\n".join([*lines, "", f"Reproduce: `dvc repro {entry.name}`"])


def with_test_result(note: str, metrics: Mapping[str, float]) -> str:
    """Return a run's description with its result on the test set and the interval, in place of an earlier one."""
    lines = [line for line in note.splitlines() if not line.startswith(TEST_RESULT)]
    value, low, high = (metrics.get(f"test/primary{end}") for end in ("", "_low", "_high"))
    if value is not None and low is not None and high is not None:
        lines.insert(
            lines.index("") + 1 if "" in lines else len(lines), f"{TEST_RESULT} {value:.6g} [{low:.6g}, {high:.6g}]"
        )
    return "\n".join(lines)


def _verdict_of(entry: StageEntry) -> dict[str, Any]:
    path = next((path for path in entry.out_paths if Path(path).name == "verdict.json"), None)
    written = path is not None and (entry.root / path).is_file()
    verdict: dict[str, Any] = read_json(entry.root / str(path)) if written else {}
    return verdict


def dataset_inputs(entry: StageEntry) -> list[tuple[str, str, str]]:
    """Return (path, digest, context) of every data set that the stage reads or writes; the digest is DVC's."""
    context = "evaluation" if entry.stage in ("evaluate", "evaluate_seeds", "export_model") else "training"
    read = [(path, value, "test" if "test" in Path(path).parts else context) for path, value in entry.deps.items()]
    written = [(path, value, "output") for path, value in entry.outs.items()]
    return [dataset for dataset in read + written if Path(dataset[0]).parts[0] == "data"]


def _numbers(entry: StageEntry, file: str) -> dict[str, float]:
    path = next((path for path in entry.out_paths if Path(path).name == file), None)
    values = read_json(entry.root / path) if path else {}
    return {name: float(value) for name, value in values.items() if isinstance(value, (int, float))}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
