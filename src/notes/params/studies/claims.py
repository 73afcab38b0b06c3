"""The studies of single sentences of the notes, from the shape of a tensor to the reading of a softmax."""

from notes.params.fields import (
    Count,
    Positive,
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
