"""The schema of params.yaml: every knob of the pipeline, its type and its range.

Errors name the key's path, the reason and, for an unknown key, the nearest known one. The file is read as DVC reads it
(YAML 1.2: `1e-3` is a number, `on` is text).
"""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from provenn.files import UserError

PARAMS_FILE = Path("params.yaml")

Task = Literal["linear", "multivariate", "polynomial", "moons", "mnist"]
RegressionTask = Literal["linear", "multivariate", "polynomial"]
ClassificationTask = Literal["moons", "mnist"]
Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu", "gelu"]

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Rows = Annotated[int, Field(ge=20, le=10_000_000)]
Width = Annotated[int, Field(ge=1, le=100_000)]


class Section(BaseModel):
    """A mapping in params.yaml: strict types, no unknown keys, immutable."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class LinearData(Section):
    """One feature: y = intercept + slope · x + Gaussian noise."""

    rows: Rows
    slope: Finite
    intercept: Finite
    noise: NonNegative


class MultivariateData(Section):
    """Several correlated features with known weights."""

    rows: Rows
    weights: Annotated[list[Finite], Field(min_length=2, max_length=1000)]
    intercept: Finite
    noise: NonNegative
    correlation: Annotated[float, Field(ge=0.0, lt=1.0)]


class PolynomialData(Section):
    """A polynomial of one feature; coefficients from the constant upwards."""

    rows: Rows
    coefficients: Annotated[list[Finite], Field(min_length=2, max_length=16)]
    noise: NonNegative


class MoonsData(Section):
    """Two interleaved half circles, not linearly separable."""

    rows: Rows
    noise: NonNegative


class GenerateSynthetic(Section):
    """Parameters of the stage `generate_synthetic`."""

    seed: Seed
    validation: Fraction
    test: Fraction
    linear: LinearData
    multivariate: MultivariateData
    polynomial: PolynomialData
    moons: MoonsData

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> "GenerateSynthetic":
        if self.validation + self.test > 0.9:
            raise ValueError("validation + test must leave at least a tenth of the rows to train on")
        return self


class DownloadMnist(Section):
    """Parameters of the stage `download_mnist`."""

    dataset: Literal["mnist", "fashion_mnist"]
    directory: str | None
    deadline_seconds: Annotated[int, Field(ge=1, le=86_400)]


class PrepareMnist(Section):
    """Parameters of the stage `prepare_mnist`."""

    validation_size: Annotated[int, Field(ge=10, le=50_000)]
    seed: Seed


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
                "any other initialisation with null for both"
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


class Mlp(Section):
    """One network of the stage `train_mlp`; no hidden sizes makes it logistic or softmax regression."""

    task: ClassificationTask
    hidden_sizes: Annotated[list[Width], Field(max_length=50)]
    activation: Activation
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    batch_norm: bool
    loss: Literal["cross_entropy", "log_loss"]
    optimizer: Literal["adam", "sgd"]
    learning_rate: Positive
    weight_decay: NonNegative
    schedule: Literal["constant", "one_cycle"]
    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)]
    patience: Annotated[int, Field(ge=1)] | None
    device: Literal["cpu", "cuda"]
    seed: Seed

    @model_validator(mode="after")
    def _loss_fits_the_classes(self) -> "Mlp":
        if self.loss == "log_loss" and self.task == "mnist":
            raise ValueError("loss: log_loss is for two classes; mnist has ten, use cross_entropy")
        if self.batch_norm and self.batch_size < 2:
            raise ValueError("batch_norm needs a batch_size of at least 2")
        return self


class LeastSquaresBaseline(Section):
    """scikit-learn's LinearRegression, behind PolynomialFeatures when degree > 1."""

    task: RegressionTask
    estimator: Literal["linear_regression"]
    degree: Annotated[int, Field(ge=1, le=15)]


class LogisticBaseline(Section):
    """scikit-learn's LogisticRegression."""

    task: ClassificationTask
    estimator: Literal["logistic_regression"]
    inverse_regularisation: Positive
    max_iterations: Annotated[int, Field(ge=1)]
    tolerance: Positive


class MlpBaseline(Section):
    """scikit-learn's MLPClassifier."""

    task: ClassificationTask
    estimator: Literal["mlp_classifier"]
    hidden_sizes: Annotated[list[Width], Field(min_length=1)]
    activation: Literal["logistic", "tanh", "relu"]
    learning_rate: Positive
    weight_decay: NonNegative
    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    seed: Seed


class ForestBaseline(Section):
    """scikit-learn's RandomForestClassifier."""

    task: ClassificationTask
    estimator: Literal["random_forest"]
    trees: Annotated[int, Field(ge=1, le=10_000)]
    max_depth: Annotated[int, Field(ge=1)] | None
    seed: Seed


class DummyBaseline(Section):
    """scikit-learn's Dummy estimators: the mean, or the class frequencies."""

    task: Task
    estimator: Literal["dummy"]


Baseline = Annotated[
    LeastSquaresBaseline | LogisticBaseline | MlpBaseline | ForestBaseline | DummyBaseline,
    Field(discriminator="estimator"),
]


class Evaluate(Section):
    """Parameters of the stage `evaluate`; counterparts pair each network with the baseline it is tested against."""

    confidence: Fraction
    bootstrap_resamples: Annotated[int, Field(ge=100, le=100_000)]
    calibration_bins: Annotated[int, Field(ge=2, le=100)]
    seed: Seed
    counterparts: dict[str, str]


class ExportModel(Section):
    """Parameters of the stage `export_model`."""

    opset: Annotated[int, Field(ge=18, le=23)]
    tolerance: Positive


class Params(Section):
    """The whole of params.yaml, a section per stage."""

    generate_synthetic: GenerateSynthetic
    download_mnist: DownloadMnist
    prepare_mnist: PrepareMnist
    train_regression: TrainRegression
    train_mlp: dict[str, Mlp]
    train_baseline: dict[str, Baseline]
    evaluate: Evaluate
    export_model: ExportModel

    @field_validator("train_mlp", "train_baseline")
    @classmethod
    def _names_begin_with_the_task(cls, models: dict[str, Any]) -> dict[str, Any]:
        for name, model in models.items():
            if not name.startswith(f"{model.task}_") or not name.isidentifier():
                raise ValueError(f"{name}: the name must begin with its task, for example {model.task}_{name}")
        return models

    @model_validator(mode="after")
    def _counterparts_exist(self) -> "Params":
        tasks = model_tasks(self)
        for network, baseline in self.evaluate.counterparts.items():
            for name in (network, baseline):
                if name not in tasks:
                    raise ValueError(f"evaluate.counterparts: no model is named {name}{_nearest(name, list(tasks))}")
            if tasks[network] != tasks[baseline]:
                raise ValueError(f"evaluate.counterparts: {network} and {baseline} belong to different tasks")
        return self


def model_tasks(params: Params) -> dict[str, Task]:
    """Return the task of every model that the pipeline trains, networks first, by the model's name."""
    regressions: dict[str, Task] = {
        f"{task}_{implementation}": task
        for task in ("linear", "multivariate", "polynomial")
        for implementation in ("scratch", "module")
    }
    networks: dict[str, Task] = {name: model.task for name, model in params.train_mlp.items()}
    baselines: dict[str, Task] = {name: model.task for name, model in params.train_baseline.items()}
    return regressions | networks | baselines


def load_params(path: Path | str = PARAMS_FILE) -> Params:
    """Read and check params.yaml; raise UserError with a line for each mistake."""
    return check_params(_read_yaml(Path(path)), str(path))


def check_params(values: Any, source: str = "params.yaml") -> Params:
    """Check parsed parameters against the schema; raise UserError with a line for each mistake."""
    if not isinstance(values, dict):
        raise UserError(f"{source} must be a mapping with a section for each stage.")
    try:
        return Params.model_validate(values)
    except ValidationError as errors:
        raise UserError("\n".join(f"{source}: {_sentence(error)}" for error in errors.errors())) from None


def _read_yaml(path: Path) -> Any:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 2)
    try:
        return yaml.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run from the repository's root, or restore it with git.") from None
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def _sentence(error: Any) -> str:
    # The tag of a discriminated union (an estimator's name) is no key of the file.
    location = [part for part in error["loc"] if not _is_union_tag(error["loc"], part)]
    path = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown{_nearest(str(location[-1]), _known_keys(error['loc'][:-1]))}."
    if error["type"] == "missing":
        return f"{path}: missing."
    reason = error["msg"].removeprefix("Value error, ")
    reason = reason[0].lower() + reason[1:] if reason.startswith("Input") else reason
    found = error["input"]
    shown = "" if isinstance(found, dict) else f" (found {found!r})"
    return f"{path}: {reason}{shown}." if path else f"{reason}."


def _is_union_tag(location: tuple[Any, ...], part: Any) -> bool:
    return location[:1] == ("train_baseline",) and len(location) > 2 and location[2] == part and part in _ESTIMATORS


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    section: Any = Params
    for part in location:
        if part in _ESTIMATORS:
            section = _ESTIMATORS[part]
        elif section is Mlp or section is Baseline:
            continue
        elif isinstance(section, type) and issubclass(section, BaseModel) and part in section.model_fields:
            annotation = section.model_fields[part].annotation
            arguments = getattr(annotation, "__args__", ())
            section = arguments[1] if getattr(annotation, "__origin__", None) is dict else annotation
    fields = getattr(section, "model_fields", {})
    return list(fields)


def _nearest(name: str, known: list[str]) -> str:
    matches = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else ""


_ESTIMATORS: dict[str, type[Section]] = {
    "linear_regression": LeastSquaresBaseline,
    "logistic_regression": LogisticBaseline,
    "mlp_classifier": MlpBaseline,
    "random_forest": ForestBaseline,
    "dummy": DummyBaseline,
}
