"""The studies of the notes' sections 1 to 4: networks, their activations and their training."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from notes.params.fields import (
    Activation,
    BatchSize,
    Count,
    Epochs,
    Fraction,
    Halves,
    Momentum,
    Positive,
    Rates,
    Repetitions,
    Rows,
    Section,
    Width,
)


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

    depths: Annotated[list[Annotated[int, Field(ge=2, le=100)]], Field(min_length=2, max_length=20)]
    input_sizes: Annotated[list[Positive], Field(min_length=2, max_length=20)]
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
    repetitions: Halves


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


class Capacity(Section):
    """Parameters of the study `capacity`."""

    widths: Annotated[list[Width], Field(min_length=2, max_length=10)]
    depths: Annotated[list[Annotated[int, Field(ge=1, le=20)]], Field(min_length=1, max_length=10)]
    rows: Rows
    label_noise: Annotated[float, Field(ge=0.0, lt=0.5)]
    epochs: Epochs
    learning_rate: Positive
    repetitions: Halves


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
    repetitions: Halves

    @model_validator(mode="after")
    def _batches_are_parts(self) -> "MiniBatches":
        if max(self.batch_sizes) >= self.rows:
            raise ValueError(f"batch_sizes: must all be smaller than rows ({self.rows}), which is the full batch")
        return self


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
