"""The schema of params.yaml: every knob of the pipeline, its type and its range.

A validator's own message begins with the key that it is about, seen from its section: "batch_norm: needs …".
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from notes.params.baselines import Baseline
from notes.params.data import DownloadMnist, GenerateSynthetic, OwnTable, PrepareMnist
from notes.params.evaluation import CompareSeeds, Evaluate, EvaluateSeeds
from notes.params.fields import TASKS, Kind, NonNegative, Positive, Section, Seed
from notes.params.networks import Mlp
from notes.params.studies import Study


class Regression(Section):
    """One implementation of linear regression on powers of the features."""

    degree: Annotated[int, Field(ge=1, le=15)]
    learning_rate: Positive
    max_iterations: Annotated[int, Field(ge=1, le=10_000_000)]
    tolerance: NonNegative
    initialisation: Literal["zeros", "randn", "pretrained"]
    pretrained: str | None
    pretrained_md5: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None
    seed: Seed

    @model_validator(mode="after")
    def _names_the_pretrained_file(self) -> "Regression":
        named = self.pretrained is not None and self.pretrained_md5 is not None
        if (self.initialisation == "pretrained") != named:
            raise ValueError(
                "initialisation: pretrained goes with pretrained (a model file) and pretrained_md5 (its MD5), "
                "any other with null for both"
            )
        return self


class ModuleRegression(Regression):
    """The `nn.Linear` implementation: it also chooses its optimizer."""

    optimizer: Literal["sgd", "adam"]


class RegressionImplementations(Section):
    """The two implementations that `train_regression` puts side by side."""

    scratch: Regression
    module: ModuleRegression


class ExportModel(Section):
    """Parameters of the stage `export_model`."""

    opset: Annotated[int, Field(ge=18, le=23)]
    tolerance: Positive


class NetworkParams(Section):
    """What every pipeline that trains networks on MNIST has in its params.yaml.

    `defaults` is there to be merged into other sections, where its values are checked.
    """

    defaults: dict[str, dict[str, Any]] = Field(default_factory=dict)
    download_mnist: DownloadMnist
    prepare_mnist: PrepareMnist
    train_mlp: dict[str, Mlp]

    @field_validator("train_mlp", "train_baseline", check_fields=False)
    @classmethod
    def _names_begin_with_the_task(cls, models: dict[str, Any]) -> dict[str, Any]:
        for name, model in models.items():
            if not re.fullmatch(rf"{model.task}_\w+", name, re.ASCII):
                rest = re.sub(r"\W", "_", name, flags=re.ASCII).removeprefix(f"{model.task}_") or "model"
                raise ValueError(
                    f"{name}: the name must be its task, an underscore, then letters, digits or underscores, "
                    f"for example {model.task}_{rest}"
                )
        return models

    @model_validator(mode="after")
    def _models_are_for_tasks_of_their_kind(self) -> "NetworkParams":
        kinds = kinds_of_tasks(self)
        for section in ("train_mlp", "train_baseline"):
            for name, model in getattr(self, section, {}).items():
                _require_task(f"{section}.{name}.task", model.task, kinds, model.kind_of_task)
        return self


class RecordParams(NetworkParams):
    """The params.yaml of experiments/record: the same networks with several seeds."""

    evaluate_seeds: EvaluateSeeds


class ComparisonParams(NetworkParams):
    """The params.yaml of experiments/comparison: networks and their counterparts with several seeds."""

    train_baseline: dict[str, Baseline]
    compare_seeds: CompareSeeds

    @model_validator(mode="after")
    def _counterparts_exist(self) -> "ComparisonParams":
        for network, pair in self.compare_seeds.counterparts.items():
            for name, known in ((network, self.train_mlp), (pair.baseline, self.train_baseline)):
                if name not in known:
                    raise ValueError(
                        f"compare_seeds.counterparts.{network}: no model is named {name}{nearest(name, known)}"
                    )
        return self


class Params(NetworkParams):
    """The params.yaml of the main pipeline, a section per stage."""

    numeric: Literal["portable", "native"]
    tasks: list[str]
    regressions: list[str]
    generate_synthetic: GenerateSynthetic
    prepare_table: dict[str, OwnTable]
    train_regression: dict[str, RegressionImplementations]
    train_baseline: dict[str, Baseline]
    evaluate: Evaluate
    export_model: ExportModel
    study: Study

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Params":
        for name in self.train_baseline:
            if name in self.train_mlp or name in _regressions(self):
                raise ValueError(f"train_baseline.{name}: another stage trains a model of this name; choose another")
        return self

    @field_validator("prepare_table")
    @classmethod
    def _names_are_free(cls, tables: dict[str, OwnTable]) -> dict[str, OwnTable]:
        for name in tables:
            if name in TASKS or name == "raw" or not re.fullmatch(r"[a-z]\w*", name, re.ASCII):
                raise ValueError(f"{name}: choose another name, of letters, digits and underscores, a letter first")
        return tables

    @model_validator(mode="after")
    def _every_task_is_listed_and_has_a_network(self) -> "Params":
        kinds = kinds_of_tasks(self)
        for name in self.tasks:
            _require_task("tasks", name, kinds, None)
        if twice := {name for name in self.tasks if self.tasks.count(name) > 1}:
            raise ValueError(f"tasks: {min(twice)} is there twice")
        if lacking := next((name for name in self.prepare_table if name not in self.tasks), None):
            raise ValueError(f"tasks: {lacking} of prepare_table is missing; add it")
        for name in self.train_regression:
            _require_task(f"train_regression.{name}", name, kinds, "regression")
        if self.regressions != (sections := list(self.train_regression)):
            raise ValueError(f"regressions: must name the sections of train_regression: {', '.join(sections)}")
        trained = {*self.train_regression, *(model.task for model in self.train_mlp.values())}
        if without := next((name for name in self.tasks if name not in trained), None):
            section = "train_regression" if kinds[without] == "regression" else "train_mlp"
            raise ValueError(f"tasks: {without} has no network; add a section to {section}")
        return self

    @model_validator(mode="after")
    def _every_task_says_what_is_compared(self) -> "Params":
        kinds, models = kinds_of_tasks(self), model_tasks(self)
        if lacking := next((name for name in self.tasks if name not in self.evaluate.tasks), None):
            raise ValueError(f"evaluate.tasks: {lacking} has no section; add one, {{}} if nothing of it is compared")
        for task, section in self.evaluate.tasks.items():
            place = f"evaluate.tasks.{task}"
            _require_task(place, task, kinds, None)
            if section.equivalence_margin is not None:
                _require_task(f"{place}.equivalence_margin", task, kinds, "regression")
            for network, pair in section.counterparts.items():
                for name in (network, pair.baseline):
                    if name not in models:
                        known = nearest(name, models)
                        raise ValueError(f"{place}.counterparts.{network}: no model is named {name}{known}")
                    if models[name] != task:
                        raise ValueError(f"{place}.counterparts.{network}: {name} belongs to another task")
        return self


def kinds_of_tasks(params: NetworkParams) -> dict[str, Kind]:
    """Return which kind each task is of: those of the pipeline, and tables of one's own."""
    return TASKS | {name: table.kind for name, table in getattr(params, "prepare_table", {}).items()}


def model_tasks(params: Params) -> dict[str, str]:
    """Return the task of every model that the pipeline trains, networks first, by the model's name."""
    networks = {name: model.task for name, model in params.train_mlp.items()}
    baselines = {name: model.task for name, model in params.train_baseline.items()}
    return _regressions(params) | networks | baselines


def _regressions(params: Params) -> dict[str, str]:
    """Return the tasks of the models of `train_regression`, whose names are not free."""
    return {
        f"{task}_{implementation}": task for task in params.train_regression for implementation in ("scratch", "module")
    }


def _require_task(key: str, task: str, kinds: Mapping[str, Kind], kind: Kind | None) -> None:
    if task not in kinds:
        known = nearest(task, kinds) or f"; choose one of {', '.join(kinds)}"
        raise ValueError(f"{key}: there is no task {task}{known}")
    if kind not in (None, kinds[task]):
        raise ValueError(f"{key}: {task} is a {kinds[task]}; this is for a {kind}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" with the known name that is most like `name`, or nothing when none is like it."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else ""
