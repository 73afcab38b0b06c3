"""scikit-learn's counterparts: built as params.yaml says, and files that are data, reproducible and checked."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from notes import baselines
from notes.files import UserError
from notes.loading import load_models
from notes.networks.mlp import Mlp
from notes.networks.model_files import save_network
from notes.params import DummyBaseline, ForestBaseline, LeastSquaresBaseline, LogisticBaseline, MlpBaseline

SETTINGS = {
    "linear": LeastSquaresBaseline(task="linear", estimator="linear_regression", degree=1),
    "polynomial": LeastSquaresBaseline(task="polynomial", estimator="linear_regression", degree=3),
    "mean": DummyBaseline(task="linear", estimator="dummy"),
    "logistic": LogisticBaseline(
        task="moons", estimator="logistic_regression", inverse_regularisation=0.5, max_iterations=50, tolerance=1e-6
    ),
    "mlp": MlpBaseline(
        task="moons",
        estimator="mlp_classifier",
        hidden_sizes=[5, 4],
        activation="tanh",
        learning_rate=0.01,
        weight_decay=1e-4,
        epochs=7,
        batch_size=8,
        seed=1,
    ),
    "forest": ForestBaseline(task="moons", estimator="random_forest", trees=6, max_depth=3, seed=1),
    "frequencies": DummyBaseline(task="moons", estimator="dummy"),
}


def data(name):
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((60, 1 if name == "polynomial" else 2))
    values = inputs[:, 0] ** 2 + 0.1 * rng.standard_normal(60)
    return inputs, values if name in ("linear", "polynomial", "mean") else (values > 0.5).astype(np.int64)


def fitted(name):
    estimator = baselines.build_estimator(SETTINGS[name])
    baselines.fit(estimator, *data(name))
    return estimator


def test_an_estimator_has_what_its_section_says():
    mlp, forest, logistic = (baselines.build_estimator(SETTINGS[name]) for name in ("mlp", "forest", "logistic"))
    assert (mlp.hidden_layer_sizes, mlp.activation, mlp.alpha, mlp.batch_size) == ((5, 4), "tanh", 1e-4, 8)
    assert (mlp.learning_rate_init, mlp.max_iter, mlp.random_state, mlp.early_stopping) == (0.01, 7, 1, False)
    assert (forest.n_estimators, forest.max_depth, forest.random_state) == (6, 3, 1)
    assert (logistic.C, logistic.max_iter, logistic.tol) == (0.5, 50, 1e-6)
    assert fitted("mlp").n_iter_ == 7


@pytest.mark.parametrize("name", SETTINGS)
def test_regressors_predict_values_and_classifiers_a_probability_a_class(name):
    inputs, targets = data(name)
    predicted = baselines.predict(fitted(name), inputs)
    if targets.dtype == np.int64:
        assert predicted.shape == (60, 2)
        np.testing.assert_allclose(predicted.sum(axis=1), 1)
    else:
        assert predicted.shape == (60,)


def test_the_dummies_know_the_mean_and_the_frequencies_alone():
    for name, column in (("mean", ...), ("frequencies", (..., 1))):
        inputs, targets = data(name)
        np.testing.assert_allclose(baselines.predict(fitted(name), inputs)[column], targets.mean())


def test_the_coefficients_of_a_least_squares_baseline_are_a_raw_polynomial_and_others_have_none():
    inputs, _ = data("polynomial")
    estimator = fitted("polynomial")
    by_hand = np.polynomial.polynomial.polyval(inputs[:, 0], baselines.coefficients(estimator))
    np.testing.assert_allclose(by_hand, baselines.predict(estimator, inputs))
    linear = fitted("linear")
    np.testing.assert_array_equal(baselines.coefficients(linear), [linear.intercept_, *linear.coef_])
    for name in ("mean", "logistic", "mlp", "forest", "frequencies"):
        assert baselines.coefficients(fitted(name)) is None


def test_scikit_learns_cross_terms_are_not_taken_for_powers():
    inputs, values = np.random.default_rng(0).standard_normal((60, 5)), np.arange(60.0)
    estimator = baselines.build_estimator(SETTINGS["polynomial"].model_copy(update={"degree": 2}))
    baselines.fit(estimator, inputs, values)
    assert len(estimator[-1].coef_) == 20  # 5 features, 5 squares, 10 products
    assert baselines.coefficients(estimator) is None


@pytest.mark.parametrize("name", SETTINGS)
def test_a_saved_estimator_comes_back_and_predicts_the_same_bits(tmp_path, name):
    estimator = fitted(name)
    baselines.save_estimator(tmp_path / "a.skops", estimator)
    baselines.save_estimator(tmp_path / "another name.skops", estimator)
    assert (tmp_path / "a.skops").read_bytes() == (tmp_path / "another name.skops").read_bytes()
    loaded = baselines.load_estimator(tmp_path / "a.skops")
    assert repr(loaded) == repr(estimator)
    inputs, _ = data(name)
    np.testing.assert_array_equal(baselines.predict(loaded, inputs), baselines.predict(estimator, inputs))


def test_the_bytes_are_the_same_in_a_process_with_another_hash_seed(tmp_path):
    code = """
import sys
from pathlib import Path
import test_baselines
for name in test_baselines.SETTINGS:
    test_baselines.baselines.save_estimator(Path(sys.argv[1]) / name, test_baselines.fitted(name))
"""
    environment = os.environ | {
        "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True, timeout=300)
    for name in SETTINGS:
        baselines.save_estimator(tmp_path / "ours", fitted(name))
        assert (tmp_path / "ours").read_bytes() == (tmp_path / name).read_bytes()


class Foreign(BaseEstimator):
    """An estimator of somebody else."""


@pytest.mark.parametrize("estimator", [Foreign(), FunctionTransformer(os.system)])
def test_a_type_that_is_not_trusted_is_refused(tmp_path, estimator):
    path = tmp_path / "foreign.skops"
    skops.io.dump(estimator, path)
    with pytest.raises(UserError, match=r"holds types that this project does not trust .*: do not load it") as caught:
        baselines.load_estimator(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_one_sentence_wherever_the_damage_is(tmp_path):
    path = tmp_path / "model.skops"
    baselines.save_estimator(path, LinearRegression().fit(*data("linear")))
    whole = path.read_bytes()
    draw = random.Random(0)
    damaged = [b"", b"PK", whole[: len(whole) // 2], whole[:-1]]
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(3):
            content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
        damaged.append(bytes(content))
    messages = []
    for content in damaged:
        path.write_bytes(content)
        try:
            baselines.load_estimator(path)  # a date in a zip header is not checked by anything
        except UserError as error:
            messages.append(str(error))
    assert len(messages) > 190
    assert all(message.startswith(f"{path} ") and "\n" not in message for message in messages)
    with pytest.raises(UserError, match="is missing: restore it"):
        baselines.load_estimator(tmp_path / "absent.skops")


def test_fitting_stops_at_the_limit_without_a_warning():
    estimator = LogisticRegression(max_iter=1)
    baselines.fit(estimator, *data("logistic"))
    assert estimator.n_iter_ == [1]


def test_a_folder_of_models_is_loaded_networks_first_whatever_framework_wrote_them(tmp_path):
    baselines.save_estimator(tmp_path / "moons_forest.skops", fitted("forest"))
    save_network(tmp_path / "moons_mlp.safetensors", Mlp(2, [3], 1))
    (tmp_path / ".gitignore").write_text("*")
    models = load_models(tmp_path)
    assert [(name, model.framework) for name, model in models.items()] == [
        ("moons_mlp", "pytorch"),
        ("moons_forest", "scikit-learn"),
    ]
    inputs = data("forest")[0].astype(np.float32)
    assert all(model.predict(inputs).shape == (60, 2) for model in models.values())
    with pytest.raises(UserError, match="holds no model"):
        load_models(tmp_path / "absent")
