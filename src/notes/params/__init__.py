"""params.yaml: its schema, reading it, and what is said about a mistake in it."""

from notes.params.baselines import (
    Baseline,
    DummyBaseline,
    ForestBaseline,
    LeastSquaresBaseline,
    LogisticBaseline,
    MlpBaseline,
)
from notes.params.reading import check_params, load_network_params, load_params, load_record_params
from notes.params.schema import Params, model_tasks

__all__ = [
    "Baseline",
    "DummyBaseline",
    "ForestBaseline",
    "LeastSquaresBaseline",
    "LogisticBaseline",
    "MlpBaseline",
    "Params",
    "check_params",
    "load_network_params",
    "load_params",
    "load_record_params",
    "model_tasks",
]
