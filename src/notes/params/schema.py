"""The schema of params.yaml: every knob of the pipeline, its type and its range.

A validator's own message begins with the key that it is about, seen from its section: "batch_norm: needs …".
"""

import difflib
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from notes.params.baselines import Baseline
from notes.params.data import DownloadMnist, GenerateSynthetic, PrepareMnist
from notes.params.fields import (
    Fraction,
    NonNegative,
    Positive,
    RegressionTask,
    Section,
    Seed,
    Task,
)
from notes.params.networks import Mlp
from notes.params.studies import Study

# The models of `train_regression`, whose names are not free.
REGRESSIONS: dict[str, Task] = {
    f"{task}_{implementation}": task for task in get_args(RegressionTask) for implementation in ("scratch", "module")
}


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


class TrainRegression(Section):
    """Parameters of the stage `train_regression`, a section per task."""

    linear: RegressionImplementations
    multivariate: RegressionImplementations
    polynomial: RegressionImplementations


class Counterpart(Section):
    """The baseline that a network is tested against, and in a few words what differs between the two."""

    baseline: str
    differs: Annotated[str, Field(min_length=1, max_length=60)]


class EquivalenceMargins(Section):
    """Up to which difference in RMSE, in the target's unit, two regressions count as one."""

    linear: Positive
    multivariate: Positive
    polynomial: Positive


class Evaluate(Section):
    """Parameters of the stage `evaluate`; counterparts pair each network with the baseline it is tested against."""

    confidence: Fraction
    bootstrap_resamples: Annotated[int, Field(ge=100, le=100_000)]
    calibration_bins: Annotated[int, Field(ge=2, le=100)]
    seed: Seed
    equivalence_margin: EquivalenceMargins
    counterparts: dict[str, Counterpart]


class ExportModel(Section):
    """Parameters of the stage `export_model`."""

    opset: Annotated[int, Field(ge=18, le=23)]
    tolerance: Positive


class EvaluateSeeds(Section):
    """Parameters of the stage `evaluate_seeds`."""

    confidence: Fraction


class CompareSeeds(Section):
    """Parameters of the stage `compare_seeds`."""

    confidence: Fraction
    counterparts: dict[str, Counterpart]


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
    generate_synthetic: GenerateSynthetic
    train_regression: TrainRegression
    train_baseline: dict[str, Baseline]
    evaluate: Evaluate
    export_model: ExportModel
    study: Study

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Params":
        for name in self.train_baseline:
            if name in self.train_mlp or name in REGRESSIONS:
                raise ValueError(f"train_baseline.{name}: another stage trains a model of this name; choose another")
        return self

    @model_validator(mode="after")
    def _counterparts_exist(self) -> "Params":
        tasks = model_tasks(self)
        for network, pair in self.evaluate.counterparts.items():
            for name in (network, pair.baseline):
                if name not in tasks:
                    raise ValueError(f"evaluate.counterparts.{network}: no model is named {name}{nearest(name, tasks)}")
            if tasks[network] != tasks[pair.baseline]:
                raise ValueError(f"evaluate.counterparts.{network}: {pair.baseline} belongs to another task")
        return self


def model_tasks(params: Params) -> dict[str, Task]:
    """Return the task of every model that the pipeline trains, networks first, by the model's name."""
    networks: dict[str, Task] = {name: model.task for name, model in params.train_mlp.items()}
    baselines: dict[str, Task] = {name: model.task for name, model in params.train_baseline.items()}
    return REGRESSIONS | networks | baselines


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" with the known name that is most like `name`, or nothing when none is like it."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else ""
