"""A model card in Markdown, with front matter that Hugging Face reads: metrics, then what trained the model."""

import json
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from provenn.entry import Entry
from provenn.files import UserError
from provenn.trust.exports.commit import Commit

UNKNOWN = "[More Information Needed]"  # the words of Hugging Face's template


def write(commit: Commit, target: str | None) -> str:
    """Return the card of a model, by its path, artifact or stage; UserError when that is not one model."""
    model, *others = commit.models_of(target)
    if others:
        raise UserError(f"a card is of one model, and there are {len(others) + 1}: name one, such as {model}.")
    entry, artifact = commit.models[model], commit.artifact(model)
    name = artifact.name if artifact else Path(model).stem
    results = _results(commit, model)
    front_matter = {
        "tags": ["dvc", *(artifact.labels if artifact else ())],
        **({"model-index": [{"name": name, "results": results}]} if results else {}),
    }
    files = [(file.path, file.sha256, file.size) for file in commit.files(model)]
    metrics = [(metric.stage, metric.name, repr(metric.value)) for metric in commit.metrics(model)]
    parameters = [(name, json.dumps(value, default=str)) for name, value in entry.settings().items()]
    parts = [
        f"---\n{yaml.safe_dump(front_matter, sort_keys=False, allow_unicode=True)}---",
        f"# {name}",
        f"`{model}`, as the stage `{entry.name}` made it at commit `{commit.id}` of {commit.time.date()}.",
        f"## Intended use\n\n{(artifact.description if artifact else '') or UNKNOWN}",
        f"## Metrics\n\n{_table(('measured by', 'metric', 'value'), metrics)}",
        f"## Training\n\n{entry.description}\n\n```sh\n{entry.command}\n```",
        f"### Parameters\n\n{_table(('parameter', 'value'), parameters)}",
        f"### Data\n\n{_inputs(commit, entry, entry.tracked)}",
        f"### Code\n\n{_inputs(commit, entry, entry.deps.keys() - entry.tracked)}",
        f"## Files\n\n{_table(('file', 'SHA-256', 'bytes'), files)}",
    ]
    return "\n\n".join(parts) + "\n"


def _results(commit: Commit, model: str) -> list[dict[str, Any]]:
    """Return the metrics as `model-index` has them: for each stage that measured, on the data that it read."""
    found = []
    for (stage, data), metrics in groupby(commit.metrics(model), lambda metric: (metric.stage, metric.data)):
        found.append(
            {
                "task": {"type": "other"},
                "dataset": {"type": stage, "name": data or "unknown"},
                "metrics": [
                    {"type": metric.name.rpartition("/")[2], "name": metric.name, "value": metric.value}
                    for metric in metrics
                ],
            }
        )
    return found


def _inputs(commit: Commit, entry: Entry, paths: Iterable[str]) -> str:
    rows = []
    for path in sorted(paths):
        value = entry.deps[path]
        folder = value.endswith(".dir")
        rows.append((path, value, "a folder" if folder else commit.files_of(path, value)[0].sha256))
    return _table(("path", "digest of DVC", "SHA-256"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    cells = [["unknown" if cell is None else str(cell).replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) if len(lines) > 2 else "None."
