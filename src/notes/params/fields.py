"""What the sections of params.yaml are made of: the types of their values, and the section itself."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["regression", "classification"]
TASKS: dict[str, Kind] = {
    **dict.fromkeys(("linear", "multivariate", "polynomial"), "regression"),
    **dict.fromkeys(("moons", "mnist"), "classification"),
}
Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu", "gelu"]

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Momentum = Annotated[float, Field(ge=0.0, lt=1.0)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Rows = Annotated[int, Field(ge=20, le=10_000_000)]
Width = Annotated[int, Field(ge=1, le=100_000)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
BatchSize = Annotated[int, Field(ge=1, le=1_000_000)]
Rates = Annotated[list[Positive], Field(min_length=1, max_length=20)]
Halves = Annotated[int, Field(ge=4, le=1000)]  # repetitions, half of which choose something that the others judge
Repetitions = Annotated[int, Field(ge=2, le=1000)]  # independent runs, for an interval


class Section(BaseModel):
    """A mapping in params.yaml: strict types, no unknown keys, immutable."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    # What kind of task a model with a `task` is for; None: for any.
    kind_of_task: ClassVar[Kind | None] = None
