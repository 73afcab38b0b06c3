"""The sections of `train_baseline`: scikit-learn's estimators."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from notes.params.fields import (
    Kind,
    NonNegative,
    Positive,
    Section,
    Seed,
    Width,
)


class LeastSquaresBaseline(Section):
    """scikit-learn's LinearRegression, behind PolynomialFeatures when degree > 1."""

    kind_of_task: ClassVar[Kind | None] = "regression"

    task: str
    estimator: Literal["linear_regression"]
    degree: Annotated[int, Field(ge=1, le=15)]


class LogisticBaseline(Section):
    """scikit-learn's LogisticRegression."""

    kind_of_task: ClassVar[Kind | None] = "classification"

    task: str
    estimator: Literal["logistic_regression"]
    inverse_regularisation: Positive
    max_iterations: Annotated[int, Field(ge=1)]
    tolerance: Positive


class MlpBaseline(Section):
    """scikit-learn's MLPClassifier."""

    kind_of_task: ClassVar[Kind | None] = "classification"

    task: str
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

    kind_of_task: ClassVar[Kind | None] = "classification"

    task: str
    estimator: Literal["random_forest"]
    trees: Annotated[int, Field(ge=1, le=10_000)]
    max_depth: Annotated[int, Field(ge=1)] | None
    seed: Seed


class DummyBaseline(Section):
    """scikit-learn's Dummy estimators: the mean, or the class frequencies."""

    task: str
    estimator: Literal["dummy"]


Baseline = Annotated[
    LeastSquaresBaseline | LogisticBaseline | MlpBaseline | ForestBaseline | DummyBaseline,
    Field(discriminator="estimator"),
]
