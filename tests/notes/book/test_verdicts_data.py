import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from notes.book.verdict_tables import Axis, Lookup, Measure, look_up
from notes.book.verdicts import CHINESE, THRESHOLDS, caption, finding, seeds, translated
from notes.files import read_json
from notes.settings import read_yaml
from notes.studies.shared.base import choosing

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/studies.md").read_text(encoding="utf-8")
STUDIES = [name for name, values in read_yaml(ROOT / "params.yaml")["study"].items() if isinstance(values, dict)]
TEXTS = read_json(CHINESE)


def test_every_study_has_a_chinese_claim_and_no_other_has():
    assert sorted(TEXTS["studies"]) == sorted(STUDIES)
    assert set(THRESHOLDS) <= set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_the_english_that_was_translated_is_that_of_the_study(name):
    section = PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]
    text = TEXTS["studies"][name]
    assert re.search(r"^\*\*Claim\*\* \(.*?\): (.*)$", section, re.MULTILINE)[1].endswith(text["claim"]["en"])
    assert f"- Effect, {text['effect']['en']}: " in section
    assert re.search(r"^\*\*Verdict: (.*?)\.\*\*", section, re.MULTILINE)[1] in TEXTS["verdicts"]
    assert text["rule"]["en"] == importlib.import_module(f"notes.studies.{name}").RULE
    found = re.search(r"^\*\*Verdict: .*?\.\*\* (.*)\.$", section, re.MULTILINE)[1]
    shown = {"finding": finding(text["finding"], found), "picture": caption(name, text["picture"])}
    for said in (*shown.values(), *(text[part]["zh"] for part in ("claim", "effect", "rule"))):
        assert re.search("[\u4e00-\u9fff]", said)
        assert not re.search(r"(?:\b[a-z]+ ){3}", said)  # no English sentence among it
    numbers = r"\d[\d,.]*(?:e[+-]?\d+)?(?<![,.])"
    assert sorted(re.findall(numbers, shown["finding"])) == sorted(re.findall(numbers, found))


def test_thresholds_are_those_of_the_parameters():
    study = read_yaml(ROOT / "params.yaml")["study"]
    named = {
        "back_propagation": "tolerance",
        "batch_memory": "tolerance",
        "calibration": "tolerance",
        "closed_form": "agreement",
        "higher_dimension": "separated",
        "sigmoid_softmax": "tolerance",
        "softmax_probabilities": "tolerance",
        "tensors": "call_cost",
        "training_lowers_loss": "tolerated",
    }
    assert {name: THRESHOLDS[name][0] for name in named} == {name: study[name][key] for name, key in named.items()}


def test_an_english_text_that_changed_is_shown_in_english():
    assert translated({"en": "It holds.", "zh": "成立"}, "It holds.") == "成立"
    assert translated({"en": "It holds.", "zh": "成立"}, "It held.") == "It held."


def test_a_finding_keeps_its_numbers_in_chinese_and_is_left_out_where_the_sentence_changed():
    text = {"en": "To #% it takes # steps, not #", "zh": "{1} 步（而非 {2} 步）即达到 {0}%"}  # noqa: RUF001
    assert finding(text, "To 80% it takes 1,661 steps, not -3.5e-07") == "1,661 步（而非 -3.5e-07 步）即达到 80%"  # noqa: RUF001
    assert finding(text, "To 80% it takes at least 1,661 steps, not 3") is None


def test_a_picture_whose_function_says_something_else_has_no_chinese_caption():
    text = TEXTS["studies"]["capacity"]["picture"]
    assert caption("capacity", text) == text["zh"]
    assert caption("capacity", text | {"en": "Draw something else."}) is None


def test_seeds_are_counted_in_chinese_even_where_a_verdict_has_commas():
    verdicts = {"holds only for a, b": "仅对甲", "fails": "不成立"}
    said = seeds("holds only for a, b in 4 of 5, fails in 1 of 5", verdicts)
    assert "5 个种子中有 4 个" in said
    assert said.index("仅对甲") < said.index("5 个种子中有 1 个") < said.index("不成立")


def test_a_table_is_looked_up_along_its_axes():
    rows = [
        {"repetition": repetition, "size": size, "kind": kind, "part": "a", "cost": 10.0 ** (size + repetition)}
        for repetition in range(4)
        for size in (2, 1)
        for kind in ("x", "y")
    ]
    rows += [row | {"part": "b", "cost": 0.0} for row in rows]
    axes = (Axis("size", ("size", "大小")), Axis("kind", ("kind", "种类"), {"y": ("Y", "Y"), "x": ("X", "X")}))
    measure = Measure("cost", ("cost", "代价"), logarithmic=True)
    found = look_up(Lookup(axes, (measure,), where={"part": "a"}, half=choosing), rows)
    assert [axis["values"] for axis in found["axes"]] == [[1, 2], ["y", "x"]]
    cells = found["measures"][0]["cells"]
    assert [cell[3] for cell in cells] == [2, 2, 2, 2]
    np.testing.assert_allclose([cell[0] for cell in cells], [100, 100, 1000, 1000])
    np.testing.assert_allclose(cells[0][1:3], np.quantile([10, 1000], [0.1, 0.9]))
