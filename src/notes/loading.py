"""One way to load and ask any trained model, whatever framework wrote its file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from notes.files import UserError

FRAMEWORKS = {".safetensors": "pytorch", ".skops": "scikit-learn"}


@dataclass(frozen=True)
class TrainedModel:
    """A model file, loaded: `predict` maps inputs (n, d) of `dtype` to values (n,) or class probabilities (n, classes).

    The `dtype` is that of the task's data: classifiers compute in float32, regressions in float64.
    """

    name: str
    framework: str
    predict: Callable[[np.ndarray], np.ndarray]
    coefficients: np.ndarray | None
    dtype: type[np.floating] = np.float64


def load_models(folder: Path | str) -> dict[str, TrainedModel]:
    """Return every model of a folder by its name, networks first; raise UserError when there is none."""
    paths = [path for path in sorted(Path(folder).glob("*")) if path.suffix in FRAMEWORKS]
    if not paths:
        raise UserError(f"{folder} holds no model: train them with `dvc repro`.")
    paths.sort(key=lambda path: list(FRAMEWORKS).index(path.suffix))
    return {path.stem: load_model(path) for path in paths}


def load_model(path: Path) -> TrainedModel:
    """Return the model of a file: safetensors of this project, or skops."""
    # Each framework is imported only where a file of its kind is read: either import takes a second.
    if path.suffix == ".skops":
        from notes import baselines

        estimator = baselines.load_estimator(path)
        return TrainedModel(
            path.stem,
            FRAMEWORKS[path.suffix],
            lambda inputs: baselines.predict(estimator, inputs),
            baselines.coefficients(estimator),
            np.float32 if hasattr(estimator, "predict_proba") else np.float64,
        )
    from notes.networks import model_files
    from notes.networks.regression import LinearRegression

    network = model_files.load_network(path)
    return TrainedModel(
        path.stem,
        FRAMEWORKS[path.suffix],
        lambda inputs: model_files.predict(network, inputs),
        network.coefficients() if isinstance(network, LinearRegression) else None,
        np.float64 if isinstance(network, LinearRegression) else np.float32,
    )
