"""The trained models as MLflow serves them: MLflow calls a loader module's `_load_pyfunc` with a model file's path."""

from pathlib import Path
from typing import Any

import numpy as np

from notes.files import UserError, load_tensors
from notes.loading import load_model


class Predictor:
    """A model file behind MLflow's interface."""

    def __init__(self, path: Path) -> None:
        self._model = load_model(path)
        self._features = _features(path)

    def predict(self, inputs: Any, params: dict[str, Any] | None = None) -> np.ndarray:
        """Return values (n,) or class probabilities (n, classes) for an array or a DataFrame of inputs (n, d).

        Raises UserError for inputs of another width, and for such that are not finite: some models would answer them.
        """
        values = np.array(inputs, dtype=self._model.dtype)
        if values.ndim != 2 or values.shape[1] != self._features:
            raise UserError(f"the inputs have the shape {values.shape}: this model takes (n, {self._features}).")
        if not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values))[0][0])
            raise UserError(f"the inputs hold NaN or infinity, first in row {row}: leave such rows out.")
        return self._model.predict(values)


def _features(path: Path) -> int:
    """Return how many numbers a row of inputs has."""
    if path.suffix == ".skops":
        from notes.baselines import load_estimator

        return int(load_estimator(path).n_features_in_)
    _, architecture = load_tensors(path)
    return int(architecture["features"] if "features" in architecture else architecture["sizes"][0])


def _load_pyfunc(path: str) -> Predictor:
    return Predictor(Path(path))
