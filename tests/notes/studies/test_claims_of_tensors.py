"""Claims of the notes on tensors: each rule refuses a counter-example, each measure agrees with one made by hand."""

import numpy as np
import pytest
import torch

from notes.params import load_params
from notes.studies import tensors, view
from notes.studies.shared.base import table

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
    assert {row["calls"] for row in rows} == {1}
    assert all(row[f"time/tensors_{row['size']}_s"] >= 0 for row in rows)


@pytest.mark.parametrize(
    ("call_cost", "text"),
    [(0.5, "holds"), (11, "holds only from 2 × 2 numbers on"), (12, "holds only from 3 × 3 numbers on"), (45, "fails")],
)
def test_tensors_are_faster_where_the_loops_have_more_operations_than_a_call_counts_as(call_cost, text):
    settings = TENSORS.model_copy(update={"call_cost": call_cost})
    assert tensors.judge(tensors.measure(settings, SEED), settings).text == text


def test_table_and_verdict_say_the_same_however_long_it_took(monkeypatch):
    tables = []
    for seconds in (1e-9, 1e9):
        monkeypatch.setattr(tensors, "fastest", lambda work, tries, seconds=seconds: seconds)
        rows = tensors.measure(TENSORS, SEED)
        tables.append((table(rows), tensors.judge(rows, TENSORS)))
    assert tables[0] == tables[1]


VIEW = SETTINGS.view.model_copy(update={"repetitions": 3})
PASSING = "whole pictures, a smaller last batch and every second picture"


def view_of_layouts(monkeypatch, layouts):
    monkeypatch.setattr(view, "LAYOUTS", layouts)
    return view.judge(view.measure(VIEW, SEED), VIEW).text


def test_view_passes_where_pixels_in_reading_order_are_equally_far_apart(monkeypatch):
    layouts = dict(view.LAYOUTS)
    assert view_of_layouts(monkeypatch, layouts) == f"holds only for {PASSING}"
    plain, turned = layouts["whole pictures"], layouts["turned pictures"]
    assert view_of_layouts(monkeypatch, {"whole": plain, "copied": lambda x: turned(x).contiguous()}) == "holds"
    assert view_of_layouts(monkeypatch, {"turned": turned, "whole": plain}) == "fails"


@pytest.mark.parametrize("layout", view.LAYOUTS)
def test_a_view_is_numpys_reshape_and_works_where_numpy_needs_no_copy(layout):
    pictures = view.LAYOUTS[layout](torch.arange(5 * 4 * 6.0).view(5, 4, 6))
    array = pictures.numpy()
    expected = array.reshape(len(array), -1)
    found = view.look(pictures)
    assert found["view_works"] == found["view_shares"] == np.shares_memory(expected, array)
    assert found["reshape_keeps_values"]
    assert found["reshape_shares"] == found["view_shares"]
    assert found["other_n_refused"]
    if found["view_works"]:
        flat = view.flatten(pictures.view, expected.shape[1])
        np.testing.assert_array_equal(flat, expected)
        assert flat.data_ptr() == pictures.data_ptr()
        assert found["half_n_unnoticed"] == pictures.is_contiguous()
