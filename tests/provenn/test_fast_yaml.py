"""The fast reader of YAML against the one that DVC uses."""

import time

import pytest
from dvc.utils.serialize import dumps_yaml
from dvc.utils.serialize import parse_yaml as dvc_parse
from hypothesis import given
from hypothesis import strategies as st

from provenn.fast_yaml import parse_yaml

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="ascii"))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
)


@given(st.dictionaries(st.text("abc_.@", min_size=1), VALUES, max_size=5))
def test_what_dvc_writes_is_read_as_dvc_reads_it(value):
    text = dumps_yaml(value)
    assert parse_yaml(text) == dvc_parse(text, "a file")


WORDS = """1e-5 1e-05 1.e5 .5 -1E+9 .inf -.INF 1_000 0x1F 0o17 017 0b11 on off yes no y true True ~ null 12:30:00 +7"""


@pytest.mark.parametrize("text", WORDS.split())
def test_a_plain_word_means_what_it_means_to_dvc(text):
    found, expected = parse_yaml(f"a: {text}"), dvc_parse(f"a: {text}", "a file")
    assert (found, type(found["a"])) == (expected, type(expected["a"]))


def test_it_is_faster():
    text = dumps_yaml({"stages": {f"s{n}": {"cmd": "x", "deps": [{"path": "a", "md5": "b" * 32}]} for n in range(200)}})
    seconds = []
    for parse in (parse_yaml, lambda text: dvc_parse(text, "a file")):
        began = time.process_time()
        parse(text)
        seconds.append(time.process_time() - began)
    assert seconds[0] < seconds[1] / 2
