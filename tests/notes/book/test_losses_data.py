import numpy as np
from scipy.special import expit, xlogy

from notes.book.losses import answers, compute


def test_the_references_are_the_formulas_and_their_slopes_are_those_of_finite_differences(tmp_path):
    files = compute(tmp_path)
    for case in files["data.json"]["reference"]:
        p, y, z = expit(case["z"]), case["label"], case["z"]
        np.testing.assert_allclose(case["p"], p, atol=1e-14)
        np.testing.assert_allclose(case["squared_error"], (p - y) ** 2, atol=1e-14)
        np.testing.assert_allclose(case["log_loss"], -xlogy(y, p) - xlogy(1 - y, 1 - p), atol=1e-10)
        around = answers(np.array([z - 1e-5, z + 1e-5]), y)
        for name in ("squared_error", "log_loss"):
            np.testing.assert_allclose(case[f"{name}_slope"], np.diff(around[name])[0] / 2e-5, atol=1e-8)
    assert len(files["picture.png"]) < 120_000
    assert compute(tmp_path) == files
