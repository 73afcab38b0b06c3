"""The studies of single sentences of the notes, from the shape of a tensor to the reading of a softmax."""

from typing import Annotated

from pydantic import Field

from notes.params.fields import (
    Activation,
    BatchSize,
    Count,
    Epochs,
    NonNegative,
    Positive,
    Rates,
    Repetitions,
    Rows,
    Section,
    Width,
)


class Differentiable(Section):
    """Networks whose activation is smooth, has a kink, or is flat, with the hidden layer frozen and trained."""

    rows: Rows
    validation_rows: Rows
    hidden_size: Width
    steps: Count
    learning_rate: Positive
    repetitions: Repetitions


class HigherDimension(Section):
    """Two rings, before and behind a hidden layer with and without an activation."""

    rows: Rows
    validation_rows: Rows
    activation: Activation
    widths: Annotated[list[Width], Field(min_length=1, max_length=10)]
    steps: Count
    learning_rate: Positive
    separated: Annotated[float, Field(gt=0.0, lt=100.0)]
    repetitions: Repetitions


class ReluSpeed(Section):
    """ReLU against sigmoid on a small part of MNIST, in shallow and deep networks."""

    depths: Annotated[list[Annotated[int, Field(ge=1, le=50)]], Field(min_length=1, max_length=10)]
    width: Width
    rows: Annotated[int, Field(ge=50, le=10_000)]
    batch_size: Annotated[int, Field(ge=1, le=50)]
    epochs: Epochs
    learning_rates: Rates
    repetitions: Annotated[int, Field(ge=4, le=1000)]


class Calibration(Section):
    """Networks on a small part of MNIST after little and much training: are they right as often as they say?"""

    rows: Annotated[int, Field(ge=100, le=10_000)]
    validation_rows: Annotated[int, Field(ge=100, le=10_000)]
    hidden_sizes: Annotated[list[Width], Field(max_length=20)]
    batch_size: Annotated[int, Field(ge=1, le=100)]
    learning_rate: Positive
    epochs: Annotated[list[Epochs], Field(min_length=1, max_length=10)]
    draws: Annotated[int, Field(ge=1, le=1000)]
    tolerance: Positive
    repetitions: Repetitions


class Logarithm(Section):
    """The likelihood of lists of labels in single precision, as a product and as a sum of logarithms."""

    lengths: Annotated[list[Annotated[int, Field(ge=1, le=100_000)]], Field(min_length=1, max_length=20)]
    weights: Annotated[int, Field(ge=3, le=10_001)]
    true_weight: Annotated[float, Field(ge=-4.0, le=4.0)]
    tolerance: Positive
    repetitions: Repetitions


class SquaredErrorMeasure(Section):
    """Classifiers of different training, ranked by different measures on few digits."""

    train_rows: Annotated[list[Annotated[int, Field(ge=50, le=10_000)]], Field(min_length=1, max_length=10)]
    epochs: Annotated[list[Epochs], Field(min_length=2, max_length=10)]
    hidden_sizes: Annotated[list[Width], Field(max_length=20)]
    batch_size: Annotated[int, Field(ge=1, le=50)]
    learning_rate: Positive
    few_rows: Annotated[int, Field(ge=5, le=100)]
    draws: Annotated[int, Field(ge=1, le=40)]
    repetitions: Repetitions


class SigmoidSoftmax(Section):
    """A sigmoid and a softmax over two classes that start as the same function and train on the same points."""

    rows: Rows
    hidden_sizes: Annotated[list[Width], Field(max_length=20)]
    steps: Count
    sgd_learning_rate: Positive
    adam_learning_rate: Positive
    tolerance: Positive
    repetitions: Repetitions


class ExplodingGradients(Section):
    """The sum of all gradients on a parabola, by all rows and by mini-batches."""

    rows: Rows
    batch_size: BatchSize
    steps: Annotated[int, Field(ge=40, le=100_000)]
    learning_rates: Annotated[list[Annotated[float, Field(gt=0.0, lt=2.0)]], Field(min_length=1, max_length=20)]
    high_learning_rates: Annotated[list[Annotated[float, Field(ge=2.0, le=100.0)]], Field(max_length=20)]
    repetitions: Repetitions


class TrainingLowersLoss(Section):
    """Mini-batch descent on moons, with the loss of all rows after every step."""

    rows: Annotated[int, Field(ge=40, le=100_000)]
    hidden_size: Width
    batch_size: Annotated[int, Field(ge=1, le=40)]
    epochs: Epochs
    learning_rates: Rates
    tolerated: Annotated[float, Field(ge=0.0, lt=50.0)]
    repetitions: Repetitions


class BatchMemory(Section):
    """Bytes that training holds, and the accuracy that it reaches, by batch size."""

    rows: Annotated[int, Field(ge=100, le=10_000)]
    validation_rows: Annotated[int, Field(ge=50, le=2500)]
    hidden_sizes: Annotated[list[Width], Field(max_length=20)]
    batch_sizes: Annotated[list[Annotated[int, Field(ge=1, lt=100)]], Field(min_length=1, max_length=10)]
    learning_rates: Rates
    epochs: Epochs
    tolerance: NonNegative
    repetitions: Repetitions


class Tensors(Section):
    """The product of two square matrices, by tensors and by loops."""

    sizes: Annotated[list[Annotated[int, Field(ge=1, le=200)]], Field(min_length=1, max_length=20)]
    call_cost: Positive
    tries: Annotated[int, Field(ge=1, le=1000)]
    tolerance: Positive
    repetitions: Repetitions


class View(Section):
    """Batches of pictures that lie in memory in different ways, flattened."""

    largest: Annotated[int, Field(ge=4, le=100)]
    repetitions: Repetitions
