"""The studies of the notes' sections 5 to 8: regression and classification."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from notes.params.fields import (
    Count,
    Finite,
    Fraction,
    Halves,
    NonNegative,
    Positive,
    Rates,
    Repetitions,
    Rows,
    Section,
    Width,
)


class ClosedForm(Section):
    """Gradient descent, the normal equations and scikit-learn over the condition number of the features."""

    repetitions: Repetitions
    rows: Annotated[int, Field(ge=10, le=100_000)]
    features: Annotated[int, Field(ge=2, le=1000)]
    noise: NonNegative
    condition_numbers: Annotated[list[Annotated[float, Field(ge=1.0, le=1e8)]], Field(min_length=1)]
    learning_rate: Annotated[float, Field(gt=0.0, lt=1.0)]
    gradient_tolerance: Positive
    max_iterations: Count
    agreement: Positive

    @model_validator(mode="after")
    def _has_more_rows_than_features(self) -> "ClosedForm":
        if self.rows <= self.features + 1:
            raise ValueError("rows: must be more than features + 1, or many solutions fit equally well")
        return self


class PolynomialDegree(Section):
    """Least squares on the powers of one feature, over the degree."""

    repetitions: Halves
    train_rows: Annotated[int, Field(ge=5, le=100_000)]
    validation_rows: Annotated[int, Field(ge=5, le=100_000)]
    coefficients: Annotated[list[Finite], Field(min_length=2, max_length=16)]
    noise: Positive
    max_degree: Annotated[int, Field(ge=2, le=15)]


class ClearingGradients(Section):
    """Gradient descent with and without clearing: a straight line on all rows, an MLP on mini-batches of moons."""

    repetitions: Repetitions
    rows: Annotated[int, Field(ge=10, le=100_000)]
    steps: Annotated[int, Field(ge=20, le=100_000)]
    learning_rates: Annotated[list[Positive], Field(min_length=1)]
    hidden_size: Width
    batch_size: Count


class Initialisation(Section):
    """Linear regression and an MLP on moons from constants, random numbers and pretrained weights."""

    repetitions: Halves
    rows: Annotated[int, Field(ge=20, le=100_000)]
    features: Annotated[int, Field(ge=1, le=1000)]
    constant: Positive
    linear_learning_rate: Positive
    gradient_target: Positive
    max_iterations: Count
    hidden_sizes: list[Width]
    mlp_learning_rate: Positive
    batch_size: Count
    loss_target: Positive
    epochs: Count
    related: NonNegative


class SoftmaxProbabilities(Section):
    """Parameters of the study `softmax_probabilities`."""

    classes: Annotated[int, Field(ge=2, le=1000)]
    scales: Annotated[list[Positive], Field(min_length=2, max_length=20)]
    rows: Rows
    tolerance: Positive
    repetitions: Repetitions


class LossChoice(Section):
    """Squared error against cross-entropy on a small part of MNIST, each at its best learning rate."""

    repetitions: Halves
    rows: Annotated[int, Field(ge=100, le=10_000)]
    hidden_sizes: list[Width]
    learning_rates: Rates
    batch_size: Count
    accuracy_target: Fraction
    epochs: Count
    rivals: Annotated[
        list[Literal["squared error of probabilities", "squared error of outputs", "cross-entropy again"]],
        Field(min_length=1),
    ]


class InferenceMode(Section):
    """What train and eval mode, gradients and none, let move in networks with and without special layers."""

    repetitions: Repetitions
    rows: Annotated[int, Field(ge=20, le=100_000)]
    networks: Annotated[list[Literal["plain", "dropout", "batch norm", "dropout + batch norm"]], Field(min_length=1)]
    hidden_sizes: Annotated[list[Width], Field(min_length=1)]
    dropout: Fraction
    epochs: Count
    learning_rate: Positive
    batch_size: Annotated[int, Field(ge=2, le=1_000_000)]
