"""Parameters that are kept against those that DVC reads."""

import os
import time

import pytest
from dvc.dependency import param
from dvc.fs import LocalFileSystem

from provenn.repro import parameters_once
from provenn.repro.parameters_once import LATELY_S, read_parameters_once

BY_DVC = param.read_param_file
NAMES = ["a", "b.c", "missing"]


@pytest.fixture
def reads(monkeypatch):
    """The reads that DVC does of parameters that are otherwise kept."""
    found = []

    def counted(fs, path, *arguments, **options):
        found.append(path)
        return BY_DVC(fs, path, *arguments, **options)

    monkeypatch.setattr(param, "read_param_file", counted)
    read_parameters_once()
    return found


@pytest.fixture
def file(tmp_path):
    """A file of parameters that was not changed lately."""
    path = tmp_path / "params.yaml"
    path.write_text("a: 1\nb: {c: [1, 2]}\n")
    time.sleep(1.5 * LATELY_S)
    return path


def read(file, names=NAMES, flatten=True):
    return param.read_param_file(LocalFileSystem(), str(file), names, flatten=flatten)


def test_a_file_that_stays_is_read_once_and_nobody_can_spoil_what_is_kept(reads, file):
    first = read(file)
    first["b.c"].append(3)
    assert read(file) == BY_DVC(LocalFileSystem(), str(file), NAMES, flatten=True) == {"a": 1, "b.c": [1, 2]}
    assert reads == [str(file)]
    assert read(file, ["a"]) == {"a": 1}
    assert read(file, None) == {"a": 1, "b": {"c": [1, 2]}}
    assert read(file, NAMES, flatten=False) == {"a": 1, "b": {"c": [1, 2]}}


def test_an_edit_is_seen_even_one_of_the_same_size_and_time(reads, file, monkeypatch):
    monkeypatch.setattr(parameters_once, "LATELY_S", -60.0)
    read(file)
    before = file.stat()
    file.write_text(file.read_text().replace("a: 1", "a: 2"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert read(file)["a"] == read(file)["a"] == 2
    assert reads == 2 * [str(file)]


def test_a_file_that_was_changed_lately_is_always_read(reads, file, monkeypatch):
    monkeypatch.setattr(parameters_once, "LATELY_S", 3600.0)
    read(file)
    read(file)
    assert reads == 2 * [str(file)]


def test_what_dvc_refuses_is_refused(reads, file):
    with pytest.raises(FileNotFoundError):
        read(file.with_name("none.yaml"))
    file.write_text("a: [1\n")
    with pytest.raises(param.ParseError):
        read(file)
