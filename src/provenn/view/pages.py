"""What MLflow's pages open with: an experiment's description, and a view of its table with the columns that count."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenn.entry import Entry
from provenn.repository import git_root
from provenn.view import contents
from provenn.view.champion import CHAMPION
from provenn.view.meta import meta_of
from provenn.view.models import model_paths
from provenn.view.names import clean_name
from provenn.view.run import NOTE
from provenn.view.runs import StoredRuns
from provenn.view.store import default_experiment

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

CURRENT = "provenn.current"  # tag of the runs that stand for the checked-out dvc.lock: `model` or `stage`
VIEW = "provenn"  # how the view is called in a link
SIGNATURE = "Written by `provenn sync`."
COLUMNS = 6  # of an experiment whose stages declare no headline
# As the page keeps a view that is shared by a link, which MLflow writes into such a tag.
_VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"


def mark_current(root: Path, entries: Mapping[str, Entry], runs: StoredRuns) -> None:
    """Tag the runs that stand for the entries, models and other stages apart, and no other run of this project."""
    kept = set()
    model, stage = _kind(root, "model"), _kind(root, "stage")
    for entry in entries.values():
        if run := runs.current(entry):
            runs.tag(run, CURRENT, model if model_paths(entry) else stage)
            kept.add(run.info.run_id)
    for run in runs.tagged(CURRENT, {model, stage}):
        if run.info.run_id not in kept:
            runs.untag(run, CURRENT)


def describe(root: Path, entries: Mapping[str, Entry], runs: StoredRuns) -> None:
    """Describe each experiment of the entries, unless somebody else has, and give it the view that `links` opens."""
    for name, found in _experiments(root, entries).items():
        experiment = runs.client.get_experiment_by_name(name)
        if experiment is None:
            continue
        note = experiment.tags.get(NOTE, SIGNATURE)
        tags = {_VIEW_TAG: json.dumps(_view(root, found, runs))}
        tags |= {NOTE: _description(found)} if note.endswith(SIGNATURE) else {}
        for tag, value in tags.items():
            if experiment.tags.get(tag) != value:
                runs.client.set_experiment_tag(experiment.experiment_id, tag, value)


def links(client: "MlflowClient") -> dict[str, str]:
    """Return what follows a server's address in a link to each experiment that has a view, by the experiment's name."""
    return {
        found.name: f"#/experiments/{found.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"
        for found in client.search_experiments(order_by=["name ASC"])
        if _VIEW_TAG in found.tags
    }


def _experiments(root: Path, entries: Mapping[str, Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    default = default_experiment(root)
    for entry in entries.values():
        found.setdefault(meta_of(entry).experiment or default, []).append(entry)
    return found


def _view(root: Path, entries: Iterable[Entry], runs: StoredRuns) -> dict[str, Any]:
    """Return the state of the page: models where there are some, the best first."""
    models = [entry for entry in entries if model_paths(entry)]
    shown = models or list(entries)
    standing = [run for run in map(runs.current, shown) if run]
    headline = {name: end for entry in entries for name, end in meta_of(entry).headline.items()}
    columns = [name for name in map(clean_name, headline) if any(name in run.data.metrics for run in standing)]
    columns = columns or _common_metrics(shown, standing)
    first = columns[0] if columns and headline else None
    kind = _kind(root, "model" if models else "stage")
    marks = [tag for tag in (CHAMPION,) if any(tag in run.data.tags for run in standing)]
    return {
        "searchFilter": f"tags.`{CURRENT}` = '{kind}'",
        "orderByKey": f"metrics.`{first}`" if first else "attributes.start_time",
        "orderByAsc": bool(first and headline.get(first) == "minimize"),
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "selectedColumns": [f"tags.`{tag}`" for tag in marks] + [f"metrics.`{name}`" for name in columns],
    }


def _common_metrics(entries: Iterable[Entry], standing: "list[Run]") -> list[str]:
    """Return the metrics that most runs have, of those which the stages' files say."""
    said = dict.fromkeys(clean_name(name) for entry in entries for name in contents.metrics(entry)[0])
    times = Counter(name for run in standing for name in run.data.metrics if name in said)
    return [name for name, _ in times.most_common(COLUMNS)]


def _description(entries: Iterable[Entry]) -> str:
    """Return Markdown: a row a stage, the items of a loop in one, with what dvc.yaml says of it."""
    rows: dict[str, list[Entry]] = {}
    for entry in entries:
        rows.setdefault(entry.name.partition("@")[0], []).append(entry)
    table = [f"| `{name}` | {len(group)} | {group[0].description} |" for name, group in rows.items()]
    head = "| stage | runs | what it does |\n|---|---|---|\n"
    first = f"{sum(map(len, rows.values()))} stages of dvc.yaml; `provenn lineage RUN` leads a run back to its commit."
    return "\n".join([first, "", head + "\n".join(table), "", SIGNATURE])


def _kind(root: Path, kind: str) -> str:
    """Return the value of the tag: with the folder of a project that lies below the top of git's repository."""
    top = git_root(root) or root
    inside = root.resolve().relative_to(top.resolve()).as_posix()
    return kind if inside == "." else f"{kind} in {inside}"
