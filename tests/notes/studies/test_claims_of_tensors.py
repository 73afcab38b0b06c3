"""Claims of the notes on tensors: each rule refuses a counter-example, each measure agrees with one made by hand."""

import numpy as np
import pytest

from notes.params import load_params
from notes.studies import tensors

SETTINGS = load_params().study
SEED = np.random.SeedSequence(7)
TENSORS = SETTINGS.tensors.model_copy(update={"sizes": [1, 2, 3], "tries": 2, "repetitions": 2})


@pytest.mark.parametrize(
    ("faster", "text"),
    [
        ((True, True, True), "holds"),
        ((False, True, True), "holds only from 2 × 2 numbers on"),
        ((True, False, True), "holds only from 3 × 3 numbers on"),
        ((True, True, False), "fails"),
    ],
)
def test_tensors_are_faster_from_the_size_on_from_which_they_always_are(faster, text):
    rows = [
        {"size": size, "repetition": repetition, "operations": 1, "difference": 0.0}
        | {"faster": fast or repetition == 0}
        for size, fast in zip(TENSORS.sizes, faster, strict=True)
        for repetition in range(2)
    ]
    assert tensors.judge(rows, TENSORS).text == text
    wrong = [row | {"difference": 1e-3} for row in rows]
    assert tensors.judge(wrong, TENSORS).text == "fails"


def test_the_loops_are_numpys_product_of_as_many_operations_as_it_takes():
    random = np.random.default_rng(0)
    left, right = random.standard_normal((4, 5)), random.standard_normal((5, 3))
    np.testing.assert_allclose(tensors.loops(left.tolist(), right.tolist()), left @ right)
    assert tensors.operations(left.tolist(), right.tolist()) == 4 * 3 * (5 + 4)


def test_every_comparison_is_of_equal_products():
    rows = tensors.measure(TENSORS, SEED)
    assert max(row["difference"] for row in rows) < 1e-12
    assert [row["operations"] for row in rows if row["repetition"] == 0] == [1, 12, 45]
    assert all(row[f"time/tensors_{row['size']}_s"] >= 0 for row in rows)
