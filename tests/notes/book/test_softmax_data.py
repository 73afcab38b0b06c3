import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from notes.book.softmax import compute


def test_the_references_are_scipys_softmax_and_the_cross_entropys_gradient_is_p_minus_one_hot(tmp_path):
    files = compute(tmp_path)
    assert len(files["data.json"]["reference"]) == 15
    for case in files["data.json"]["reference"]:
        probabilities = softmax(case["logits"])
        np.testing.assert_allclose(case["probabilities"], probabilities, atol=1e-14)
        assert case["loss"] == pytest.approx(-log_softmax(case["logits"])[case["label"]], abs=1e-12)
        np.testing.assert_allclose(case["gradient"], probabilities - np.eye(3)[case["label"]], atol=1e-14)
    assert len(files["picture.png"]) < 120_000
    assert compute(tmp_path) == files
