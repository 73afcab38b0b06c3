"""The sections of params.yaml that say which data there are: synthetic ones, MNIST, and how it is split."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from notes.params.fields import Finite, Fraction, Kind, NonNegative, Rows, Section, Seed


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


class Dealt(Section):
    """How the rows of a table are dealt to the splits."""

    seed: Seed
    validation: Fraction
    test: Fraction

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> Self:
        if self.validation + self.test > 0.9:
            raise ValueError("validation: validation + test must leave at least a tenth of the rows to train on")
        return self


class GenerateSynthetic(Dealt):
    """Parameters of the stage `generate_synthetic`."""

    linear: LinearData
    multivariate: MultivariateData
    polynomial: PolynomialData
    moons: MoonsData


class OwnTable(Dealt):
    """A table of one's own: a CSV file with a header, and the column that is predicted from the others."""

    file: str
    target: str
    kind: Kind


class DownloadMnist(Section):
    """Parameters of the stage `download_mnist`."""

    dataset: Literal["mnist", "fashion_mnist"]
    directory: str | None
    deadline_seconds: Annotated[int, Field(ge=1, le=86_400)]


class PrepareMnist(Section):
    """Parameters of the stage `prepare_mnist`."""

    validation_size: Annotated[int, Field(ge=10, le=50_000)]
    seed: Seed
