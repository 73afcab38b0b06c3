"""A served model predicts what the notes' own `predict` does, from an array and from a DataFrame."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier

from notes import baselines
from notes.files import UserError
from notes.networks import mlp, model_files, regression
from notes.serving import _load_pyfunc

RANDOM = np.random.default_rng(0)
INPUTS, LABELS = RANDOM.standard_normal((40, 3)), RANDOM.integers(2, size=40)


def network(kind):
    generator = torch.Generator().manual_seed(0)
    if kind == "classifier":
        return mlp.Mlp(3, [4], 2, batch_norm=True).initialise(generator)
    made = regression.LinearRegression(3, 2)
    made.powers.fit(torch.from_numpy(INPUTS))
    return made


@pytest.mark.parametrize(("kind", "dtype"), [("classifier", np.float32), ("regression", np.float64)])
def test_a_network_is_served_as_it_predicts_here(kind, dtype, tmp_path):
    made = network(kind)
    model_files.save_network(tmp_path / "model.safetensors", made)
    expected = model_files.predict(made, INPUTS.astype(dtype))
    served = _load_pyfunc(str(tmp_path / "model.safetensors"))
    for inputs in (INPUTS, INPUTS.astype(dtype), pd.DataFrame(INPUTS, columns=["x1", "x2", "x3"])):
        np.testing.assert_array_equal(served.predict(inputs), expected)


@pytest.mark.parametrize("estimator", [RandomForestClassifier(3, random_state=0), DummyRegressor()])
def test_an_estimator_is_served_as_it_predicts_here(estimator, tmp_path):
    baselines.fit(estimator, INPUTS.astype(np.float32), LABELS)
    baselines.save_estimator(tmp_path / "model.skops", estimator)
    expected = baselines.predict(estimator, INPUTS.astype(np.float32))
    served = _load_pyfunc(str(tmp_path / "model.skops"))
    for inputs in (INPUTS, pd.DataFrame(INPUTS, columns=["x1", "x2", "x3"])):
        np.testing.assert_array_equal(served.predict(inputs), expected)


@pytest.mark.parametrize("kind", ["classifier", "regression", "forest"])
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.full((2, 3), np.nan), "NaN or infinity, first in row 0"),
        (np.where(np.arange(6).reshape(2, 3) == 4, np.inf, 0.5), "NaN or infinity, first in row 1"),
        (np.zeros((2, 1)), r"the shape \(2, 1\): this model takes \(n, 3\)"),
        (np.zeros(3), r"the shape \(3,\)"),
    ],
    ids=["nan", "infinity", "narrow", "flat"],
)
def test_what_a_model_was_not_made_for_is_refused(kind, inputs, message, tmp_path):
    if kind == "forest":
        forest = RandomForestClassifier(3, random_state=0).fit(INPUTS, LABELS)
        baselines.save_estimator(tmp_path / "model.skops", forest)
    else:
        model_files.save_network(tmp_path / "model.safetensors", network(kind))
    (path,) = tmp_path.iterdir()
    with pytest.raises(UserError, match=message):
        _load_pyfunc(str(path)).predict(inputs)
