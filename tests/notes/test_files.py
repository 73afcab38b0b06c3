"""Files: nothing is ever half written, equal content gives equal bytes, and a damaged file is one sentence."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from notes.files import (
    UserError,
    atomic_path,
    digest,
    load_tensors,
    read_json,
    read_rows,
    save_tensors,
    write_bytes,
    write_json,
    write_rows,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_content_and_no_other_file(tmp_path, error):
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")

    def write_half():
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half of the ne")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["model.bin"]


def test_the_final_name_holds_the_old_content_until_the_block_has_ended(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent  # a rename is atomic within a file system alone
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["model.bin"]


def test_a_process_killed_in_the_middle_of_writing_leaves_the_old_content(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    code = f"""
import os, signal
from notes.files import atomic_path
with atomic_path({str(path)!r}) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode < 0
    assert path.read_bytes() == b"old"


def test_missing_folders_are_made(tmp_path):
    write_bytes(tmp_path / "a/b/c.bin", b"content")
    assert (tmp_path / "a/b/c.bin").read_bytes() == b"content"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_written_file_has_the_permissions_that_open_gives(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "ours", b"")
        (tmp_path / "pythons").write_bytes(b"")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "pythons").stat().st_mode


@given(content=st.binary(max_size=300), algorithm=st.sampled_from(["md5", "sha256"]))
def test_a_digest_is_hashlibs(tmp_path_factory, content, algorithm):
    path = tmp_path_factory.mktemp("digest") / "file"
    path.write_bytes(content)
    assert digest(path, algorithm) == hashlib.new(algorithm, content).hexdigest()
    assert digest(path) == hashlib.md5(content).hexdigest()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON)
def test_json_reads_back_exactly(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "value.json"
    write_json(path, value)
    assert read_json(path) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_json_without_a_finite_value_is_refused_and_nothing_is_written(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "metrics.json", value)
    assert names(tmp_path) == []


def test_a_table_reads_back_cell_by_cell_and_no_rows_make_an_empty_table(tmp_path):
    rows = [{"name": 'comma, "quote"\nline', "value": 0.1 + 0.2}, {"name": "größer", "value": 1e-300}]
    write_rows(tmp_path / "table.csv", rows)
    found = read_rows(tmp_path / "table.csv")
    assert [row["name"] for row in found] == [row["name"] for row in rows]
    assert [float(row["value"]) for row in found] == [row["value"] for row in rows]
    assert b"\r" not in (tmp_path / "table.csv").read_bytes()
    write_rows(tmp_path / "empty.csv", [])
    assert read_rows(tmp_path / "empty.csv") == []


ARRAYS = hnp.arrays(
    dtype=st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_, np.dtype(">f8")]),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@given(tensors=st.dictionaries(st.text("abc.", min_size=1, max_size=5), ARRAYS, max_size=4), metadata=JSON)
def test_tensors_read_back_bit_by_bit_and_their_order_leaves_no_trace_in_the_bytes(tmp_path_factory, tensors, metadata):
    folder = tmp_path_factory.mktemp("tensors")
    save_tensors(folder / "one", tensors, metadata)
    backwards = {name: tensors[name] for name in reversed(tensors)}
    save_tensors(folder / "two", backwards, metadata)
    assert (folder / "one").read_bytes() == (folder / "two").read_bytes()
    found, described = load_tensors(folder / "one")
    assert described == metadata
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes()


def test_a_view_with_other_strides_is_saved_as_what_it_shows(tmp_path):
    array = np.arange(12.0).reshape(3, 4)
    save_tensors(tmp_path / "views", {"transposed": array.T, "stepped": array[::2, ::-1]}, {})
    found, _ = load_tensors(tmp_path / "views")
    np.testing.assert_array_equal(found["transposed"], array.T)
    np.testing.assert_array_equal(found["stepped"], array[::2, ::-1])


@pytest.mark.parametrize("reader", [read_json, read_rows, digest, load_tensors])
def test_a_missing_file_is_one_sentence_with_the_command_that_restores_it(tmp_path, reader):
    path = tmp_path / "absent"
    with pytest.raises(UserError) as caught:
        reader(path)
    assert str(caught.value) == (
        f"{path} is missing: restore it with `dvc checkout {path}`, or make it with `dvc repro`."
    )


@pytest.mark.parametrize("content", [b"", b"{", b"NaN but not quite", b"\xff\xfe{}"])
def test_a_file_that_is_no_json_is_one_sentence(tmp_path, content):
    path = tmp_path / "metrics.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"metrics\.json is not valid JSON \(.*\): restore it with `dvc repro`\.$"):
        read_json(path)


def test_a_model_file_cut_anywhere_or_of_another_kind_is_one_sentence(tmp_path):
    path = tmp_path / "model.safetensors"
    save_tensors(path, {"weight": np.arange(6.0)}, {"kind": "test"})
    whole = path.read_bytes()
    from safetensors.numpy import save

    others = [b"", b"PK\x03\x04", save({"weight": np.arange(6.0)}), whole + b"more"]
    for content in [whole[:length] for length in range(len(whole))] + others:
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"is not a model file of this project \(.*\): restore it") as caught:
            load_tensors(path)
        assert "\n" not in str(caught.value)
