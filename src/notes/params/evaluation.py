"""Sections of params.yaml for the stages that judge models."""

from typing import Annotated

from pydantic import Field

from notes.params.fields import Fraction, Positive, Section, Seed


class Counterpart(Section):
    """The baseline that a network is tested against, and in a few words what differs between the two."""

    baseline: str
    differs: Annotated[str, Field(min_length=1, max_length=60)]


class EvaluateTask(Section):
    """What the stage `evaluate` compares of one task; counterparts pair each network with its baseline.

    The margin is of a regression: up to which difference in RMSE, in the target's unit, two models count as one.
    """

    equivalence_margin: Positive | None = None
    counterparts: dict[str, Counterpart] = Field(default_factory=dict)


class Evaluate(Section):
    """Parameters of the stage `evaluate`; `tasks` has a section for each task, which its own evaluation alone reads."""

    confidence: Fraction
    bootstrap_resamples: Annotated[int, Field(ge=100, le=100_000)]
    calibration_bins: Annotated[int, Field(ge=2, le=100)]
    seed: Seed
    tasks: dict[str, EvaluateTask]


class EvaluateSeeds(Section):
    """Parameters of the stage `evaluate_seeds`."""

    confidence: Fraction


class CompareSeeds(Section):
    """Parameters of the stage `compare_seeds`."""

    confidence: Fraction
    counterparts: dict[str, Counterpart]
