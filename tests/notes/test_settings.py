"""A section of params.yaml as a stage reads it: DVC's YAML, merged defaults, and one sentence for a wrong name."""

import pytest
from dvc.utils.serialize import load_yaml

from notes.files import UserError
from notes.settings import read_settings, read_yaml

TEXT = """\
defaults:
  network: &network {optimizer: adam, learning_rate: 1e-3, augmentation: {rotation: 10.0}}
train_mlp:
  seed: 7
  wide: {<<: *network, learning_rate: 0.5}
  deep:
    <<: *network
    hidden_sizes: [8, on]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    return path


def test_the_file_is_read_as_dvc_reads_it_merge_keys_included(file):
    values = read_yaml(file)
    assert values == load_yaml(str(file))
    assert values["train_mlp"]["deep"] == {
        "optimizer": "adam", "learning_rate": 0.001, "augmentation": {"rotation": 10.0}, "hidden_sizes": [8, "on"],
    }  # fmt: skip


def test_a_sections_own_value_comes_before_the_merged_one_and_a_section_inside_has_attributes_too(file):
    wide = read_settings("train_mlp", "wide", file=file)
    assert (wide.learning_rate, wide.optimizer, wide.augmentation.rotation) == (0.5, "adam", 10.0)
    assert vars(read_settings("train_mlp", "deep", file=file))["hidden_sizes"] == [8, "on"]


@pytest.mark.parametrize("name", ["narrow", "seed"])
def test_a_section_that_is_not_there_is_named_with_those_that_are(file, name):
    with pytest.raises(UserError, match=rf"has no train_mlp\.{name}: choose one of wide, deep\.$"):
        read_settings("train_mlp", name, file=file)
