"""The schema of the section `study` of params.yaml: a section a study."""

from typing import Annotated

from pydantic import Field

from notes.params.fields import Section, Seed
from notes.params.studies.claims import (
    BatchMemory,
    Calibration,
    Differentiable,
    ExplodingGradients,
    HigherDimension,
    Logarithm,
    ReluSpeed,
    SigmoidSoftmax,
    SquaredErrorMeasure,
    Tensors,
    TrainingLowersLoss,
    View,
)
from notes.params.studies.networks import (
    BackPropagation,
    Capacity,
    DeadRelu,
    LinearCollapse,
    MiniBatches,
    Shuffling,
    VanishingGradients,
    ZeroCentred,
)
from notes.params.studies.tasks import (
    ClearingGradients,
    ClosedForm,
    InferenceMode,
    Initialisation,
    LossChoice,
    PolynomialDegree,
    SoftmaxProbabilities,
)


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
    differentiable: Differentiable
    higher_dimension: HigherDimension
    relu_speed: ReluSpeed
    calibration: Calibration
    logarithm: Logarithm
    squared_error_measure: SquaredErrorMeasure
    sigmoid_softmax: SigmoidSoftmax
    exploding_gradients: ExplodingGradients
    training_lowers_loss: TrainingLowersLoss
    batch_memory: BatchMemory
    tensors: Tensors
    view: View

    def sections(self) -> dict[str, Section]:
        """Return the settings of every study by its name."""
        return {name: settings for name, settings in self if isinstance(settings, Section)}
