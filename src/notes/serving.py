"""The trained models as MLflow serves them: MLflow calls a loader module's `_load_pyfunc` with a model file's path."""

from pathlib import Path
from typing import Any

import numpy as np

from notes.loading import load_model


class Predictor:
    """A model file behind MLflow's interface."""

    def __init__(self, path: Path) -> None:
        self._model = load_model(path)

    def predict(self, inputs: Any, params: dict[str, Any] | None = None) -> np.ndarray:
        """Return values (n,) or class probabilities (n, classes) for an array or a DataFrame of inputs (n, d)."""
        return self._model.predict(np.array(inputs, dtype=self._model.dtype))


def _load_pyfunc(path: str) -> Predictor:
    return Predictor(Path(path))
