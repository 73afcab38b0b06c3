"""One entry of a lock file, read and written without the others, against DVC, which reads and writes all of them."""

import pytest
from dvc.utils.serialize import dumps_yaml, parse_yaml, parse_yaml_for_update
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from repository import Repository
from sleeping import prepare, stage

from provenn.lock_text import find_entry, is_plain, replace_entry

TEXTS = st.text("ab é:#-&*'\"\n", max_size=120)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text("abc_.", min_size=1, max_size=9), SCALARS)
DEPENDENCY = st.fixed_dictionaries({"path": st.text("ab/. &*", min_size=1, max_size=9), "md5": st.text("09af")})
ENTRIES = st.fixed_dictionaries(
    {"cmd": st.text("abc -'\"#:\n", min_size=1, max_size=200)},
    optional={
        "deps": st.lists(DEPENDENCY, min_size=1, max_size=3),
        "params": st.dictionaries(st.text("abc.", min_size=1, max_size=9), VALUES, min_size=1, max_size=3),
    },
)
NAMES = st.text("abz_-@09", min_size=1, max_size=6)


def rewrite(text):
    return dumps_yaml(parse_yaml_for_update(text, "dvc.lock"))


@settings(max_examples=60)
@given(st.dictionaries(NAMES, ENTRIES, min_size=1, max_size=3), NAMES, ENTRIES, st.booleans())
def test_an_entry_is_replaced_with_the_bytes_that_dvc_writes(stages, name, entry, has_datasets):
    lock = {"schema": "2.0", "stages": stages} | ({"datasets": [{"name": "a"}]} if has_datasets else {})
    # What DVC writes, read and written once more: so every later write of DVC begins.
    text = rewrite(dumps_yaml(lock))
    new = dumps_yaml({"stages": {name: entry}})
    # DVC's parser changes the last digit of some numbers at every write: 1.141690912700966e-85 becomes …965e-85.
    assume(is_plain(text) and is_plain(new) and rewrite(text) == text)
    place = find_entry(text, name)
    alone = parse_yaml(text[slice(*place)], "dvc.lock")[name] if place else None
    assert alone == parse_yaml(text, "dvc.lock")["stages"].get(name)
    content = parse_yaml_for_update(text, "dvc.lock")
    content["stages"].update({name: entry})
    assert replace_entry(text, name, new.partition("\n")[2]) == dumps_yaml(content)


def test_values_that_stand_for_others_and_names_in_quotes_are_not_plain():
    shared = [1, 2]
    assert is_plain(dumps_yaml({"stages": {"a": {"params": {"x": [1, 2], "y": [1, 2]}}}}))
    assert not is_plain(dumps_yaml({"stages": {"a": {"params": {"x": shared, "y": shared}}}}))
    assert not is_plain(dumps_yaml({"stages": {"12": {"cmd": "x"}}}))
    assert not is_plain("stages: {}\n")
    assert not is_plain("stages:\n  a:\n    cm")


BY_HAND = """
stages:
    a: {cmd: old, outs: [{path: a.txt, hash: md5, md5: 4c850c5b3b2756e67a91bad8e046ddac, size: 2}]}  # by hand
schema: "2.0"
"""
SHARED = "x: &shared [1, 2]\ny: *shared\n"
COMMAND = "python work.py c 0.4 c.txt"


@pytest.mark.slow
def test_a_lock_that_was_written_by_hand_becomes_that_of_dvc(sleeping, tmp_path):
    shared = {"cmd": COMMAND, "deps": ["work.py"], "params": ["x", "y"], "outs": ["c.txt"]}
    both = sleeping, prepare(Repository.make(tmp_path / "serial"))
    for repository in both:
        repository.write("params.yaml", SHARED)
        repository.write("dvc.lock", BY_HAND)
        repository.define({"a": stage("a"), "b": stage("b", 0, ("a.txt",)), "12": stage("d", 0.2), "c": shared})
    sleeping.provenn("repro", "-j", "2")
    both[1].dvc("repro")
    for repository in both:  # from now on DVC has written it
        repository.define({"a": stage("a", 0.1), "b": stage("b", 0.1, ("a.txt",)), "12": stage("d"), "c": shared})
    sleeping.provenn("repro", "-j", "2")
    both[1].dvc("repro")
    assert (sleeping.root / "dvc.lock").read_bytes() == (both[1].root / "dvc.lock").read_bytes()
