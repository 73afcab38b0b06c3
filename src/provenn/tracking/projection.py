"""What an MLflow run shows of a stage, read from the stage's entry and its output files alone.

A stage that has just run and a stage that DVC restored from its cache are shown by the same functions.
"""

import json
import os
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from provenn.data.tasks import TASKS
from provenn.files import digest, read_json, read_rows
from provenn.tracking.entry import StageEntry

FRAMEWORKS = {".safetensors": "pytorch", ".skops": "sklearn", ".onnx": "onnx"}
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


def model_path(entry: StageEntry) -> str | None:
    """Return the model file that a stage writes, if it writes one."""
    return next((path for path in entry.out_paths if Path(path).suffix in FRAMEWORKS), None)


def parameters_of(entry: StageEntry) -> dict[str, str]:
    """Return the stage's parameters as MLflow keeps them: text, cut at its limit."""
    return {name: _text(value)[:PARAM_LIMIT] for name, value in entry.settings.items()}


def tags_of(entry: StageEntry) -> dict[str, str]:
    """Return the tags by which a run, a lock entry and a file find each other, and the platform they were made on."""
    tags = {"dvc.stage": entry.name, "dvc.key": entry.key, "numeric.platform": numeric_platform()}
    tags |= {f"dvc.dep.{path}": value for path, value in entry.deps.items()}
    tags |= {f"dvc.out.{path}": value for path, value in entry.outs.items()}
    if "requirements.lock" in entry.deps:
        tags["env.lock"] = entry.deps["requirements.lock"]
    data = {path: value for path, value in entry.deps.items() if path.startswith("data/")}
    if data:
        tags["data.digest"] = " ".join(data.values())
    task, model = task_of(entry), model_path(entry)
    if task:
        tags |= {"task": task, "primary.direction": TASKS[task].direction}
    if model:
        tags |= {"model": Path(model).stem, "framework": FRAMEWORKS[Path(model).suffix]}
    if entry.stage == "study" and entry.outs:
        tags |= {"study.verdict": _verdict_of(entry)["text"]}
    return {name: value[:TAG_LIMIT] for name, value in tags.items()}


def metrics_of(entry: StageEntry) -> dict[str, float]:
    """Return the numbers of the stage's metrics file."""
    path = next((path for path in entry.out_paths if Path(path).name == "metrics.json"), None)
    values = read_json(path) if path else {}
    return {name: float(value) for name, value in values.items() if isinstance(value, (int, float))}


def history_of(entry: StageEntry) -> list[dict[str, float]]:
    """Return the stage's history, a record an epoch."""
    path = next((path for path in entry.out_paths if Path(path).name == "history.csv"), None)
    return [{name: float(value) for name, value in row.items()} for row in read_rows(path)] if path else []


def artifacts_of(entry: StageEntry) -> list[Path]:
    """Return the files of results/ that the stage wrote: figures, tables, histories, metrics."""
    files: list[Path] = []
    for out in map(Path, entry.out_paths):
        if out.parts[0] == "results":
            files += sorted(path for path in out.rglob("*") if path.is_file()) if out.is_dir() else [out]
    return files


def test_metrics_of(entry: StageEntry) -> dict[str, dict[str, float]]:
    """Return what an evaluation says of each model, by the path of the model's file: its metrics of the test set."""
    if entry.stage != "evaluate":
        return {}
    found: dict[str, dict[str, float]] = {}
    for name, value in read_json(Path("results/evaluate") / str(task_of(entry)) / "models.json").items():
        model, _, metric = name.partition("/")
        if metric.startswith("test/"):
            found.setdefault(model, {})[metric] = value
    files = {path.stem: path for path in sorted(Path("models", str(task_of(entry))).iterdir())}
    return {str(files[model]): metrics for model, metrics in found.items() if model in files}


def description_of(entry: StageEntry) -> str:
    """Return a run's Markdown description: what it is, its result, how to reproduce it."""
    lines = [entry.description or entry.name, ""]
    metrics = metrics_of(entry)
    lines += [f"- **{name}** {value:.6g}" for name, value in metrics.items() if name.startswith("val/")]
    if entry.stage == "study" and (verdict := _verdict_of(entry)):
        lines += [f"**Claim:** {verdict['claim']}", "", f"**Verdict: {verdict['text']}.** {verdict['finding']}.", ""]
        lines += [f"- {verdict['effect']}: {verdict['value']:.4g} ({verdict['low']:.4g} to {verdict['high']:.4g})"]
    lines += [f"- `{path}` `{value}`" for path, value in entry.outs.items() if path == model_path(entry)]
    return "\n".join([*lines, "", f"Reproduce: `dvc repro {entry.name}`"])


def _verdict_of(entry: StageEntry) -> dict[str, Any]:
    path = next((path for path in entry.out_paths if Path(path).name == "verdict.json"), None)
    verdict: dict[str, Any] = read_json(path) if path else {}
    return verdict


def dataset_inputs(entry: StageEntry) -> list[tuple[str, str, str]]:
    """Return (path, digest, context) of every data set that the stage reads or writes; the digest is DVC's."""
    context = "evaluation" if entry.stage in ("evaluate", "export_model") else "training"
    read = [(path, value, "test" if "test" in Path(path).parts else context) for path, value in entry.deps.items()]
    written = [(path, value, "output") for path, value in entry.outs.items()]
    return [dataset for dataset in read + written if Path(dataset[0]).parts[0] == "data"]


def git_tags() -> dict[str, str]:
    """Return the commit that is checked out and whether code or parameters differ from it; empty outside git."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {}
    # What the pipeline itself rewrites is no difference of code or parameters.
    changes = _git("status", "--porcelain", "--", ".", ":!dvc.lock", ":!results")
    tags = {"git.commit": commit, "git.dirty": str(bool(changes)).lower()}
    experiment = os.environ.get("DVC_EXP_NAME")
    return tags | ({"dvc.exp": experiment} if experiment else {})


@cache
def numeric_platform() -> str:
    """Return what the bits of a result depend on besides its inputs: instruction set, BLAS, threads, torch."""
    import numpy as np
    from threadpoolctl import threadpool_info

    features = np._core._multiarray_umath.__cpu_features__  # type: ignore[attr-defined]
    instruction_set = next((name for name in ("AVX512F", "AVX2", "ASIMD") if features.get(name)), "baseline")
    pools = threadpool_info()
    blas = sorted(
        {
            f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
            for pool in pools
            if pool["user_api"] == "blas"
        }
    )
    threads = os.environ.get("OMP_NUM_THREADS", "default")
    machine = os.uname().machine
    return f"{machine} {instruction_set}; {', '.join(blas)}; threads {threads}; torch {version('torch')}"


def file_digest_tag(path: str) -> tuple[str, str]:
    """Return the tag name and value by which the run that wrote a file is found."""
    return f"dvc.out.{path}", digest(path)


def _git(*arguments: str) -> str:
    try:
        finished = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return finished.stdout.strip() if finished.returncode == 0 else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
