"""The sections of `train_mlp`: a network, how it is trained, and how its images are distorted."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from notes.params.fields import (
    Activation,
    Fraction,
    Kind,
    Momentum,
    NonNegative,
    Positive,
    Section,
    Seed,
    Width,
)


class Augmentation(Section):
    """How far training images may be distorted, anew in each epoch; zero leaves that distortion out."""

    rotation: Annotated[float, Field(ge=0.0, le=90.0)]
    scale: Annotated[float, Field(ge=0.0, le=1.0)]
    shear: Annotated[float, Field(ge=0.0, le=1.0)]
    translation: Annotated[float, Field(ge=0.0, le=14.0)]
    elastic_displacement: Annotated[float, Field(ge=0.0, le=14.0)]
    elastic_smoothness: Annotated[float, Field(ge=0.5, le=28.0)]


class Mlp(Section):
    """One network of the stage `train_mlp`; no hidden sizes makes it logistic or softmax regression."""

    kind_of_task: ClassVar[Kind | None] = "classification"

    task: str
    hidden_sizes: Annotated[list[Width], Field(max_length=50)]
    activation: Activation
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    batch_norm: bool
    initialisation: Literal["he", "glorot"]
    noise: Annotated[float, Field(ge=0.0, le=10.0)]
    loss: Literal["cross_entropy", "log_loss"]
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]
    optimizer: Literal["adam", "sgd"]
    momentum: Momentum
    learning_rate: Positive
    weight_decay: NonNegative
    schedule: Literal["constant", "one_cycle"]
    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)]
    patience: Annotated[int, Field(ge=1)] | None
    keep: Literal["best", "last"]
    weight_average: Fraction | None
    augmentation: Augmentation | None
    train_on: Literal["train", "train_and_validation"]
    precision: Literal["float32", "bfloat16"]
    device: Literal["cpu", "cuda"]
    seed: Seed

    @model_validator(mode="after")
    def _loss_fits_the_classes(self) -> "Mlp":
        if self.loss == "log_loss" and self.task == "mnist":
            raise ValueError("loss: log_loss is for two classes; mnist has ten, use cross_entropy")
        if self.batch_norm and self.batch_size < 2:
            raise ValueError("batch_norm: needs a batch_size of at least 2")
        if self.loss == "log_loss" and self.label_smoothing:
            raise ValueError("label_smoothing: is for loss: cross_entropy; set it to 0.0 with log_loss")
        return self

    @model_validator(mode="after")
    def _augments_images(self) -> "Mlp":
        if self.augmentation and self.task != "mnist":
            raise ValueError("augmentation: distorts images; set it to null for any task but mnist")
        return self

    @model_validator(mode="after")
    def _has_validation_rows_to_choose_an_epoch_by(self) -> "Mlp":
        if self.train_on == "train_and_validation" and self.patience is not None:
            raise ValueError("patience: is for train_on: train; without validation rows use null")
        if self.train_on == "train_and_validation" and self.keep == "best":
            raise ValueError("keep: best is for train_on: train; without validation rows use last")
        return self
