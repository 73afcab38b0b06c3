"""Files that no program of this project writes are refused in one sentence: nested without end, or of another type."""

import json
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from notes.files import UserError, read_json
from notes.loading import load_model
from notes.settings import read_yaml

DEPTH = 200_000
DEEP = "[" * DEPTH + "]" * DEPTH


def deep_json(path):
    path.write_text(DEEP)
    read_json(path)


def deep_yaml(path):
    path.write_text("a: " + "[" * 5_000 + "]" * 5_000)
    read_yaml(path)


def deep_skops(path):
    path = path.with_suffix(".skops")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", DEEP)
    load_model(path)


def deep_metadata(path):
    path = path.with_suffix(".safetensors")
    header = json.dumps({"__metadata__": {"provenn": DEEP}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    load_model(path)


def bfloat16(path):
    path = path.with_suffix(".safetensors")
    tensors = {"layers.0.weight": torch.zeros(3, 3, dtype=torch.bfloat16)}
    save_file(tensors, path, metadata={"provenn": json.dumps({"kind": "mlp", "sizes": [3, 3]})})
    load_model(path)


@pytest.mark.fault(
    "A JSON, YAML, skops or safetensors file of the notes is nested without end, or holds bfloat16",
    "one sentence that names it",
)
@pytest.mark.parametrize("read", [deep_json, deep_yaml, deep_skops, deep_metadata, bfloat16])
def test_a_file_that_nobody_here_writes_is_one_sentence(read, tmp_path):
    with pytest.raises(UserError, match=r"file[\w.]* ") as caught:
        read(tmp_path / "file")
    assert "\n" not in str(caught.value)
