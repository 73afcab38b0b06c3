"""`view`: one MLflow run from a stage's entry, its record and its files. Nothing else writes a stage's run."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenn.addresses import shown_uri
from provenn.entry import Entry
from provenn.secret_scan import why_hidden
from provenn.view import contents
from provenn.view.contents import Point
from provenn.view.meta import meta_of
from provenn.view.models import DIGEST, PATH, log_model, logged_models, model_paths, register
from provenn.view.names import clean_name, clean_names
from provenn.view.records import Told, now
from provenn.view.store import default_experiment, experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

# Limits of MLflow: of one call, and of one value.
METRICS_A_CALL, TAGS_A_CALL, PARAMS_A_CALL = 1000, 100, 100
TAG_LENGTH, PARAM_LENGTH = 8000, 6000

STAGE, KEY, RESULT, PROCESS = "dvc.stage", "dvc.key", "dvc.result", "provenn.process"
PARTIAL, RESTORED, PATCH = "provenn.partial", "provenn.restored", "provenn.patch"
PARENT, NOTE = "mlflow.parentRunId", "mlflow.note.content"
ENTRY_FILE, PATCH_FILE = "provenn/entry.json", "provenn/changes.patch"


def begin(client: "MlflowClient", root: Path, entry: Entry, told: Told, parent: str | None = None) -> str:
    """Open the run of a stage that has started, with what is known by then; return its id."""
    tags = _tags(entry, told) | ({PROCESS: told.process} if told.process else {}) | ({PARENT: parent} if parent else {})
    experiment = experiment_id(client, meta_of(entry).experiment or default_experiment(root), root)
    run = client.create_run(experiment, told.started, tags, run_name=meta_of(entry).name or entry.name)
    run_id: str = run.info.run_id
    with _taken_back(client, run_id):
        _log(client, run_id, params=parameters(entry))
    return run_id


def view(
    client: "MlflowClient",
    root: Path,
    entry: Entry,
    told: Told,
    *,
    run_id: str | None = None,
    logged: int = 0,
    absent: Iterable[str] = (),
) -> str:
    """Write the run of a stage that has ended; return its id. One that was begun is `run_id`, with `logged` points.

    `told` is what its record says: of a stage whose record is lost, or that said nothing, that is little. `absent` are
    outputs that are nowhere to be found; the run is then marked as partial.
    """
    if run_id:
        _write(client, root, entry, told, run_id, logged, list(absent))
    else:
        run_id = begin(client, root, entry, told)
        with _taken_back(client, run_id):
            _write(client, root, entry, told, run_id, logged, list(absent))
    return run_id


@contextmanager
def _taken_back(client: "MlflowClient", run_id: str) -> Iterator[None]:
    """Leave no half of a new run behind when the store refuses the rest."""
    try:
        yield
    except Exception:
        with suppress(Exception):  # the store may be gone
            client.delete_run(run_id)
        raise


def _write(
    client: "MlflowClient", root: Path, entry: Entry, told: Told, run_id: str, logged: int, absent: list[str]
) -> None:
    written = told.status == "FINISHED"
    tags = _tags(entry, told)
    numbers: list[Metric] = _metrics(told.points[logged:])
    if written:
        tags |= {KEY: entry.key, RESULT: entry.result}
        values, texts = contents.metrics(entry)
        tags |= texts | ({PARTIAL: f"nowhere: {', '.join(absent)}"} if absent else {})
        if not told.points:
            numbers = _metrics(contents.curves(entry), told.ended)
        model_id = _models(client, root, entry, run_id)
        # A moment after the curves, at their last step: MLflow's table shows the latest value of the last step.
        last = max([*(point.step for point in numbers), *(point.step for point in told.points)], default=0)
        numbers += _metrics([Point(name, value, last) for name, value in values.items()], now() + 1, model_id)
        _datasets(client, entry, run_id)
        for place, file in contents.shown_files(entry).items():
            client.log_artifact(run_id, str(file), str(Path(place).parent) if "/" in place else None)
    else:
        tags |= {"failure": told.reason}
    numbers += _metrics([Point(name, value, 0) for name, value in told.values.items()], now() + 1)
    client.log_text(run_id, shown_uri(json.dumps(_as_values(entry), indent=2)), ENTRY_FILE)
    if told.patch and (reason := why_hidden(told.patch)):  # a record may be older than what is known of keys
        tags |= {PATCH: f"left out: {reason}"}
    elif told.patch:
        client.log_text(run_id, told.patch, PATCH_FILE)
    _log(client, run_id, numbers, parameters(entry), tags | {NOTE: description(entry)})
    # Last of all, so that a finished run is a complete one.
    client.set_terminated(run_id, told.status, told.ended)


def register_models(client: "MlflowClient", run_id: str, entry: Entry, *, champion: bool) -> list[str]:
    """Register the models of a finished run that are artifacts; return the names of those of which that was new."""
    artifacts = entry.models()
    if not artifacts:
        return []
    logged = {model.tags.get(PATH): model for model in logged_models(client, client.get_run(run_id))}
    return [
        artifact.name
        for path, artifact in artifacts.items()
        if (model := logged.get(path))
        and register(client, artifact, model.tags[DIGEST], model.model_id, champion=champion)
    ]


def log_scores(client: "MlflowClient", run: Any, values: Mapping[str, float], *, replace: bool) -> bool:
    """Log what another stage found about a run's model on that run and its logged model; return whether it was new.

    With `replace` unset a number that is there already is left alone.
    """
    there = run.data.metrics
    new = {
        name: value
        for name, value in values.items()
        if there.get(clean_name(name)) != value and (replace or clean_name(name) not in there)
    }
    if not new:
        return False
    outputs = run.outputs.model_outputs if run.outputs else []
    points = [Point(name, value, 0) for name, value in new.items()]
    _log(client, run.info.run_id, _metrics(points, now(), outputs[0].model_id if outputs else None))
    there.update({clean_name(name): value for name, value in new.items()})  # what asks next must see it
    return True


def log_points(client: "MlflowClient", run_id: str, points: Iterable[Point]) -> None:
    """Log points of a stage's curves while it works."""
    _log(client, run_id, _metrics(points))


def parameters(entry: Entry) -> dict[str, str]:
    """Return the stage's parameters as MLflow keeps them: text, cut at its limit."""
    values = {name: value for name, value in entry.settings().items() if value is not None}
    names = clean_names(values)
    return {names[name]: _text(value)[:PARAM_LENGTH] for name, value in values.items()}


def description(entry: Entry) -> str:
    """Return the Markdown that describes a run: the stage's own file if it declares one, and how to repeat it."""
    file = meta_of(entry).description
    text = ""
    if file and (entry.root / file).is_file():
        text = (entry.root / file).read_text(encoding="utf-8", errors="replace").strip()
    return f"{text or entry.description or entry.name}\n\nRepeat it: `provenn reproduce {entry.name}`"


def _tags(entry: Entry, told: Told) -> dict[str, str]:
    own = {STAGE: entry.name, "mlflow.source.type": "LOCAL", "mlflow.source.name": entry.command or entry.name}
    if "git.commit" in told.tags:
        own["mlflow.source.git.commit"] = told.tags["git.commit"]
    return meta_of(entry).tags | told.tags | own


def _models(client: "MlflowClient", root: Path, entry: Entry, run_id: str) -> str | None:
    ids = [
        log_model(client, root, entry, path, run_id, parameters(entry))
        for path in model_paths(entry)
        if (entry.root / path).exists()
    ]
    return ids[0] if ids else None


def _datasets(client: "MlflowClient", entry: Entry, run_id: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    declared = meta_of(entry).datasets
    chosen = dict.fromkeys(sorted(entry.tracked), "") if declared is None else declared
    digests = entry.deps | entry.outs
    inputs = [
        # DVC's digest: MLflow's own reads the first rows alone. It is cut at MLflow's limit.
        DatasetInput(
            Dataset(shown_uri(path), digests[path][:36], "local", json.dumps({"uri": shown_uri(path)})),
            [InputTag("mlflow.data.context", context)] if context else [],
        )
        for path, context in chosen.items()
        if digests.get(path)
    ]
    if inputs:
        client.log_inputs(run_id, inputs)


def _metrics(points: Iterable[Point], at: int | None = None, model_id: str | None = None) -> "list[Metric]":
    from mlflow.entities import Metric

    of_all = list(points)
    names = clean_names(point.name for point in of_all)
    return [
        Metric(names[point.name], point.value, point.at or at or now(), point.step, model_id=model_id)
        for point in of_all
    ]


def _log(
    client: "MlflowClient",
    run_id: str,
    metrics: "list[Metric] | None" = None,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write in as few calls as MLflow's limits allow."""
    from mlflow.entities import Param, RunTag

    numbers = metrics or []
    packed = [Param(name, value) for name, value in (params or {}).items()]
    marks = [RunTag(clean_name(name), shown_uri(value)[:TAG_LENGTH]) for name, value in (tags or {}).items()]
    while numbers or packed or marks:
        batch = numbers[: METRICS_A_CALL - PARAMS_A_CALL - TAGS_A_CALL]
        client.log_batch(run_id, batch, packed[:PARAMS_A_CALL], marks[:TAGS_A_CALL])
        numbers, packed, marks = numbers[len(batch) :], packed[PARAMS_A_CALL:], marks[TAGS_A_CALL:]


def _as_values(entry: Entry) -> dict[str, Any]:
    return {
        "stage": entry.name,
        "command": entry.command,
        "deps": entry.deps,
        "params": entry.params,
        "outs": entry.outs,
    }


def _text(value: Any) -> str:
    return shown_uri(value if isinstance(value, str) else json.dumps(value, default=str))
