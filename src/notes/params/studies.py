"""The schema of the section `study` of params.yaml: a section a study."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from notes.params.fields import (
    Activation,
    Finite,
    Fraction,
    Momentum,
    NonNegative,
    Positive,
    Rows,
    Section,
    Seed,
    Width,
)

Repetitions = Annotated[int, Field(ge=2, le=1000)]  # independent runs, for an interval
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
BatchSize = Annotated[int, Field(ge=1, le=1_000_000)]
Rates = Annotated[list[Positive], Field(min_length=1, max_length=20)]


class LinearCollapse(Section):
    """Parameters of the study `linear_collapse`."""

    activation: Literal[Activation, "none"]  # none: linear layers against themselves
    hidden_sizes: Annotated[list[Width], Field(min_length=1, max_length=20)]
    epochs: Epochs
    batch_size: BatchSize
    learning_rate: Positive
    repetitions: Repetitions


class VanishingGradients(Section):
    """Parameters of the study `vanishing_gradients`."""

    saturating: Annotated[list[Activation], Field(min_length=1, max_length=4)]
    rectifier: Activation
    depths: Annotated[list[Annotated[int, Field(ge=2, le=100)]], Field(min_length=2, max_length=20)]
    width: Width
    rows: Rows
    repetitions: Repetitions


class ZeroCentred(Section):
    """Parameters of the study `zero_centred`."""

    centred: Activation
    uncentred: Activation
    hidden_sizes: Annotated[list[Width], Field(min_length=1, max_length=20)]
    learning_rates: Rates
    momentum: Momentum
    batch_size: BatchSize
    max_epochs: Epochs
    target_loss: Positive
    repetitions: Repetitions


class DeadRelu(Section):
    """Parameters of the study `dead_relu`."""

    mortal: Activation
    immortal: Activation
    hidden_sizes: Annotated[list[Width], Field(min_length=1, max_length=20)]
    learning_rates: Rates
    momentum: Momentum
    batch_size: BatchSize
    epochs: Epochs
    repetitions: Repetitions


class SoftmaxProbabilities(Section):
    """Parameters of the study `softmax_probabilities`."""

    classes: Annotated[int, Field(ge=2, le=1000)]
    scales: Annotated[list[Positive], Field(min_length=2, max_length=20)]
    rows: Rows
    tolerance: Positive
    repetitions: Repetitions


class Capacity(Section):
    """Parameters of the study `capacity`."""

    widths: Annotated[list[Width], Field(min_length=2, max_length=10)]
    depths: Annotated[list[Annotated[int, Field(ge=1, le=20)]], Field(min_length=1, max_length=10)]
    rows: Rows
    label_noise: Annotated[float, Field(ge=0.0, lt=0.5)]
    epochs: Epochs
    learning_rate: Positive
    repetitions: Annotated[int, Field(ge=4, le=1000)]  # half of them choose the best network, the others judge it


class Shuffling(Section):
    """Parameters of the study `shuffling`."""

    rows: Rows
    validation_rows: Rows
    hidden_sizes: Annotated[list[Width], Field(max_length=20)]
    batch_size: BatchSize
    epochs: Epochs
    learning_rate: Positive
    repetitions: Repetitions


class MiniBatches(Section):
    """Parameters of the study `mini_batches`."""

    rows: Rows
    validation_rows: Rows
    hidden_sizes: Annotated[list[Width], Field(max_length=20)]
    batch_sizes: Annotated[list[BatchSize], Field(min_length=1, max_length=10)]  # the full batch is added to them
    learning_rates: Rates
    momentum: Momentum
    target_accuracy: Fraction
    max_epochs: Epochs
    repetitions: Repetitions

    @model_validator(mode="after")
    def _batches_are_parts(self) -> "MiniBatches":
        if max(self.batch_sizes) >= self.rows:
            raise ValueError(f"batch_sizes: must all be smaller than rows ({self.rows}), which is the full batch")
        return self


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

    repetitions: Repetitions
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


class LossChoice(Section):
    """Squared error against cross-entropy on a small part of MNIST, each at its best learning rate."""

    repetitions: Repetitions
    rows: Annotated[int, Field(ge=100, le=10_000)]
    hidden_sizes: list[Width]
    learning_rates: Annotated[list[Positive], Field(min_length=1)]
    batch_size: Count
    accuracy_target: Fraction
    epochs: Count
    rivals: Annotated[
        list[Literal["squared error of probabilities", "squared error of outputs", "cross-entropy again"]],
        Field(min_length=1),
    ]


class BackPropagation(Section):
    """Gradients by hand against autograd and finite differences on random networks."""

    repetitions: Repetitions
    rows: Count
    sizes: Annotated[list[Width], Field(min_length=2)]
    activations: Annotated[list[Literal["sigmoid", "tanh", "relu"]], Field(min_length=1)]
    tolerance: Positive
    finite_difference_tolerance: Positive
    finite_difference_steps: Annotated[list[Positive], Field(min_length=1)]
    entries: Count


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

    repetitions: Annotated[int, Field(ge=4, le=1000)]
    train_rows: Annotated[int, Field(ge=5, le=100_000)]
    validation_rows: Annotated[int, Field(ge=5, le=100_000)]
    coefficients: Annotated[list[Finite], Field(min_length=2, max_length=16)]
    noise: Positive
    max_degree: Annotated[int, Field(ge=2, le=15)]


class InferenceMode(Section):
    """Predictions in train and eval mode, with and without gradients, of networks with and without special layers."""

    repetitions: Repetitions
    rows: Annotated[int, Field(ge=20, le=100_000)]
    networks: Annotated[list[Literal["plain", "dropout", "batch norm", "dropout + batch norm"]], Field(min_length=1)]
    hidden_sizes: Annotated[list[Width], Field(min_length=1)]
    dropout: Fraction
    epochs: Count
    learning_rate: Positive
    batch_size: Annotated[int, Field(ge=2, le=1_000_000)]
    smallest_change: Positive


class Study(Section):
    """Parameters of the stage `study`: all draw from the one seed, and are judged once by each of `seeds` children."""

    seed: Seed
    seeds: Annotated[int, Field(ge=2, le=100)]
    linear_collapse: LinearCollapse
    vanishing_gradients: VanishingGradients
    zero_centred: ZeroCentred
    dead_relu: DeadRelu
    softmax_probabilities: SoftmaxProbabilities
    capacity: Capacity
    shuffling: Shuffling
    mini_batches: MiniBatches
    clearing_gradients: ClearingGradients
    initialisation: Initialisation
    loss_choice: LossChoice
    back_propagation: BackPropagation
    closed_form: ClosedForm
    polynomial_degree: PolynomialDegree
    inference_mode: InferenceMode

    def sections(self) -> dict[str, Section]:
        """Return the settings of every study by its name."""
        return {name: settings for name, settings in self if isinstance(settings, Section)}
