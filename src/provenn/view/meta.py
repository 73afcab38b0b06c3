"""What a stage's `meta: provenn:` in dvc.yaml declares for MLflow. Every field has a default that asks for nothing."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provenn.entry import Entry
from provenn.files import UserError
from provenn.metric_files import Direction
from provenn.resources import Resources


class Loader(BaseModel):
    """How MLflow loads a model file: a module of the repository with MLflow's own `_load_pyfunc(path)`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loader: str
    requirements: list[str] = []


class Columns(BaseModel):
    """The columns of a table of predictions, a row a test row."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    truth: str
    prediction: str


class Meta(Resources):
    """The fields, and those of `Resources`. Paths are relative to the stage's folder, as all of its definition."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: str | None = Field(None, description="MLflow's experiment; by default the repository's name")
    name: str | None = Field(None, description="the run's name; by default the stage's")
    tags: dict[str, str] = Field({}, description="tags of the run")
    models: dict[str, Loader] = Field({}, description="outputs that are models, besides artifacts of the type model")
    datasets: dict[str, str] | None = Field(
        None, description="data sets read or written, and MLflow's context; by default what DVC tracks of the deps"
    )
    scores: dict[str, str] = Field(
        {}, description="file: folder. A number `<name>/<metric>` of the file belongs on the run of `<folder>/<name>.*`"
    )
    champion: str | None = Field(
        None, description="the text among the stage's metrics that names the best of the models which `scores` judge"
    )
    headline: dict[str, Direction] = Field(
        {}, description="metrics that the experiment's page shows first, and which end is up; the first one sorts"
    )
    predictions: dict[str, Columns] = Field(
        {}, description="tables written or read, a row a test row: by them two results are compared row by row"
    )
    children: list[str] = Field([], description="files read whose runs stand below this one")
    tolerances: dict[str, Annotated[float, Field(ge=0)] | Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?%$")]] = Field(
        {}, description="pattern of metrics: the difference that still is the same result, `0.01` or `2 %`"
    )
    artifacts: list[str] = Field([], description="outputs shown besides metrics and plots")
    description: str | None = Field(None, description="an output in Markdown that describes the run")


def meta_of(entry: Entry) -> Meta:
    """Return what a stage declares, its paths relative to the root; raise UserError when that is not understood."""
    declared: Any = entry.meta.get("provenn") or {}
    try:
        found = Meta.model_validate(declared)
    except ValidationError as errors:
        first = errors.errors()[0]
        where = ".".join(["meta", "provenn", *map(str, first["loc"])])
        known = ", ".join(Meta.model_fields)
        raise UserError(f"dvc.yaml, stage {entry.name}: {where}: {first['msg']}; the fields are {known}.") from None
    if entry.folder in ("", "."):
        return found
    return found.model_copy(
        update={
            "models": {entry.path(path): loader for path, loader in found.models.items()},
            "datasets": found.datasets and {entry.path(path): kind for path, kind in found.datasets.items()},
            "scores": {entry.path(file): entry.path(folder) for file, folder in found.scores.items()},
            "predictions": {entry.path(file): columns for file, columns in found.predictions.items()},
            "children": [entry.path(path) for path in found.children],
            "artifacts": [entry.path(path) for path in found.artifacts],
            "description": found.description and entry.path(found.description),
        }
    )
