"""scikit-learn's counterparts of the networks, and their model files.

A file is skops, which is data and not code: it loads only types on an allow-list. skops puts memory addresses and the
time of day into its files; `save_estimator` replaces both, so that equal models give equal bytes.
"""

import io
import json
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from notes.data.tasks import find_task
from notes.files import UserError, missing_file, write_bytes
from notes.settings import Settings

# What zipfile and skops raise for files that are no skops file, or no longer one.
DAMAGED = (
    zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError,
    LookupError, ValueError, TypeError, AttributeError, RecursionError,
)  # fmt: skip
# All that the models of this project consist of.
TRUSTED_TYPES = [
    "sklearn.dummy.DummyClassifier",
    "sklearn.dummy.DummyRegressor",
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.linear_model._base.LinearRegression",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._label.LabelBinarizer",
    "sklearn.preprocessing._polynomial.PolynomialFeatures",
    "sklearn.tree._classes.DecisionTreeClassifier",
    "sklearn.tree._tree.Tree",
]


def build_estimator(settings: Settings) -> BaseEstimator:
    """Return the untrained estimator that a section of `train_baseline` describes."""
    match settings.estimator:
        case "linear_regression" if settings.degree == 1:
            return LinearRegression()
        case "linear_regression":
            return make_pipeline(PolynomialFeatures(settings.degree, include_bias=False), LinearRegression())
        case "logistic_regression":
            return LogisticRegression(
                C=settings.inverse_regularisation, max_iter=settings.max_iterations, tol=settings.tolerance
            )
        case "mlp_classifier":
            return MLPClassifier(
                tuple(settings.hidden_sizes),
                activation=settings.activation,
                learning_rate_init=settings.learning_rate,
                alpha=settings.weight_decay,
                batch_size=settings.batch_size,
                max_iter=settings.epochs,
                n_iter_no_change=settings.epochs,
                random_state=settings.seed,
            )
        case "random_forest":
            return RandomForestClassifier(
                settings.trees, max_depth=settings.max_depth, random_state=settings.seed, n_jobs=1
            )
        case "dummy":
            if find_task(settings.task).kind == "regression":
                return DummyRegressor(strategy="mean")
            return DummyClassifier(strategy="prior")
    raise UserError(f"There is no estimator named {settings.estimator!r}: choose one of those in params.yaml.")


def fit(estimator: Any, inputs: np.ndarray, targets: np.ndarray) -> None:
    """Fit in place. That an iterative solver stops at its limit is the setting's choice and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(inputs, targets)


def coefficients(estimator: Any) -> np.ndarray | None:
    """Return intercept and weights (1 + d · degree,) of a fitted least-squares baseline, None for any other.

    None too for several features with a degree above 1: scikit-learn then has cross terms, the networks have none.
    """
    linear = estimator
    if isinstance(estimator, Pipeline):
        linear = estimator[-1] if estimator.n_features_in_ == 1 else None
    return np.concatenate([[linear.intercept_], linear.coef_]) if isinstance(linear, LinearRegression) else None


def predict(estimator: Any, inputs: np.ndarray) -> np.ndarray:
    """Return values (n,) of a regressor, or class probabilities (n, classes) of a classifier."""
    probabilities = getattr(estimator, "predict_proba", None)
    return np.asarray(probabilities(inputs) if probabilities else estimator.predict(inputs))


def save_estimator(path: Path | str, estimator: BaseEstimator) -> None:
    """Write a fitted estimator as a compressed skops file with reproducible bytes."""
    write_bytes(path, _normalise(import_skops().dumps(estimator)))


def load_estimator(path: Path | str) -> Any:
    """Return the estimator of a skops file; raise UserError for a damaged file or a type that is not trusted."""
    skops = import_skops()
    if not Path(path).is_file():
        raise missing_file(path)
    try:
        return skops.load(path, trusted=TRUSTED_TYPES)
    except skops.exceptions.UntrustedTypesFoundException as error:
        raise UserError(f"{path} holds types that this project does not trust ({error}): do not load it.") from None
    except DAMAGED as error:
        raise UserError(f"{path} is damaged ({error}): restore it with `dvc repro`.") from None


def import_skops() -> Any:
    """Return the module `skops.io`."""
    # It would import every module of scikit-learn, and with one of them torch, to trust all estimators there are.
    with patch("sklearn.utils.all_estimators", return_value=[]):
        import skops.io
        import skops.io.exceptions
    return skops.io


def _normalise(archive: bytes) -> bytes:
    source = zipfile.ZipFile(io.BytesIO(archive))
    numbers: dict[str, str] = {}

    def number(address: str) -> str:
        return numbers.setdefault(address, str(len(numbers)))

    def rename(node: Any) -> Any:
        if isinstance(node, list):
            return [rename(item) for item in node]
        if not isinstance(node, dict):
            return node
        renamed = {key: rename(value) for key, value in node.items()}
        if "__id__" in node:
            renamed["__id__"] = int(number(str(node["__id__"])))
        if "file" in node:
            address, _, kind = node["file"].partition(".")
            renamed["file"] = f"{number(address)}.{kind}"
        return renamed

    files = {"schema.json": json.dumps(rename(json.loads(source.read("schema.json")))).encode()}
    for name in source.namelist():
        address, _, kind = name.partition(".")
        if address in numbers:
            files[f"{numbers[address]}.{kind}"] = source.read(name)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for name in sorted(files):
            target.writestr(zipfile.ZipInfo(name), files[name], zipfile.ZIP_DEFLATED)
    return packed.getvalue()
