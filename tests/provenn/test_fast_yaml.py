"""The fast reader of YAML against the one that DVC uses."""

import time

import pytest
from dvc.utils import serialize, strictyaml
from dvc.utils.serialize import _yaml, dumps_yaml
from dvc.utils.serialize import parse_yaml as dvc_parse
from hypothesis import given
from hypothesis import strategies as st

from provenn.fast_yaml import parse_yaml, use_in_dvc

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


@pytest.fixture
def dvc_reads_fast(monkeypatch):
    """DVC with the fast reader, until the test ends."""
    for module in (_yaml, serialize, strictyaml):
        monkeypatch.setattr(module, "parse_yaml", dvc_parse)
    use_in_dvc()


@pytest.mark.usefixtures("dvc_reads_fast")
def test_in_dvc_it_reads_what_dvc_reads_and_refuses_what_dvc_refuses(tmp_path):
    merged = "x: &x {a: 1, b: [on]}\ny: {<<: *x, a: 3}\nz: [*x]\n"
    for text in (merged, "", "%YAML 1.1\n---\na: on\n", "? [1, 2]\n: 3\n", "- a\n- b: é\n"):
        assert serialize.parse_yaml(text, "a file") == dvc_parse(text, "a file")
    for text in ("a: 1\nb: {c: 1, c: 2}\n", "a: [1\n", "a: 1\n b: 2\n"):
        said = []
        for parse in (dvc_parse, serialize.parse_yaml):
            with pytest.raises(_yaml.YAMLFileCorruptedError) as error:
                parse(text, "a file")
            said.append(str(error.value.__cause__))
        assert said[0] == said[1]
    (tmp_path / "dvc.yaml").write_text("stages:\n  a: {cmd: x}\n  a: {cmd: y}\n")
    with pytest.raises(strictyaml.YAMLSyntaxError, match=r"dvc\.yaml"):
        strictyaml.load(str(tmp_path / "dvc.yaml"))


def test_it_is_faster():
    text = dumps_yaml({"stages": {f"s{n}": {"cmd": "x", "deps": [{"path": "a", "md5": "b" * 32}]} for n in range(200)}})
    seconds = []
    for parse in (parse_yaml, lambda text: dvc_parse(text, "a file")):
        began = time.process_time()
        parse(text)
        seconds.append(time.process_time() - began)
    assert seconds[0] < seconds[1] / 2
