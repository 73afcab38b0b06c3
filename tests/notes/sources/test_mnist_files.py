"""The IDX reader against hand-made files, and the split of the training images."""

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notes.files import UserError
from notes.sources.mnist import (
    CLASSES,
    FILES,
    SHA256,
    TITLES,
    dataset_in,
    file_size,
    read_idx,
    split_train_validation,
)
from notes.sources.splitting import choose_stratified


def test_images_are_read_row_by_row_from_hand_made_bytes(tmp_path):
    path = tmp_path / "images"
    pixels = bytes(range(256)) * 7
    path.write_bytes(b"\x00\x00\x08\x03" + struct.pack(">III", 2, 28, 28) + pixels[: 2 * 784])
    images = read_idx(path)
    assert images.shape == (2, 28, 28)
    assert images.dtype == np.uint8
    assert images[0, 1, 0] == 28
    assert images[1, 0, 0] == 784 % 256


def test_labels_are_read_from_hand_made_bytes(tmp_path):
    path = tmp_path / "labels"
    path.write_bytes(b"\x00\x00\x08\x01\x00\x00\x00\x03\x07\x00\x09")
    assert read_idx(path).tolist() == [7, 0, 9]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x1f\x8b\x08\x08abc",
        b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0",
        b"\0\0\x08\x02\0\0\0\x01\0\0\0\x01\0",
        b"\0\0\x08\x03\0\0\0\x01",
        b"\0\0\x08\x03" + struct.pack(">III", 1, 32, 32) + bytes(1024),
        b"\0\0\x08\x01\0\0\0\x03\x07\0",
        b"\0\0\x08\x01\0\0\0\x01\x07\0",
        b"\0\0\x08\x03" + struct.pack(">III", 2**32 - 1, 28, 28),
    ],
)
def test_any_other_file_is_refused_with_the_command_that_restores_it(tmp_path, content):
    path = tmp_path / "t10k-labels-idx1-ubyte"
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"idx1-ubyte is not one of MNIST's IDX files: .* `dvc repro download_mnist`\.$"
    ):
        read_idx(path)


def test_a_missing_idx_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing is missing: .*`dvc"):
        read_idx(tmp_path / "nothing")


def test_a_folder_is_known_by_its_labels_and_any_other_is_refused(tmp_path, monkeypatch):
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    labels.write_bytes(b"what stands for the labels of Fashion-MNIST")
    with pytest.raises(UserError, match="neither MNIST's nor Fashion-MNIST's: restore it"):
        dataset_in(tmp_path)
    found = hashlib.sha256(labels.read_bytes()).hexdigest()
    monkeypatch.setitem(SHA256, "fashion_mnist", SHA256["fashion_mnist"] | {labels.name: found})
    assert dataset_in(tmp_path) == "fashion_mnist"


def test_every_data_set_has_a_title_and_ten_classes():
    assert SHA256.keys() == TITLES.keys() == CLASSES.keys()
    assert all(len(set(names)) == 10 for names in CLASSES.values())


def test_the_known_files_have_the_sizes_that_the_publisher_states():
    assert [file_size(name) for name in FILES] == [47_040_016, 60_008, 7_840_016, 10_008]
    assert all(list(known) == list(FILES) for known in SHA256.values())


@settings(max_examples=60)
@given(
    counts=st.lists(st.integers(4, 60), min_size=10, max_size=10),
    fraction=st.floats(0.3, 0.7),
    seed=st.integers(0, 1000),
)
def test_the_validation_set_is_disjoint_exact_sorted_and_stratified(counts, fraction, seed):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.repeat(np.arange(10, dtype=np.uint8), counts))
    size = round(len(labels) * fraction)
    train, validation = split_train_validation(labels, validation_size=size, generator=generator)
    assert len(validation) == size
    assert sorted([*train, *validation]) == list(range(len(labels)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()
    quotas = np.array(counts) * size / len(labels)
    assert (np.abs(np.bincount(labels[validation], minlength=10) - quotas) < 1).all()


def test_the_same_seed_chooses_the_same_images_and_every_image_can_be_chosen():
    labels = np.repeat(np.arange(10, dtype=np.uint8), 5)

    def chosen(seed):
        return split_train_validation(labels, validation_size=20, generator=np.random.default_rng(seed))[1].tolist()

    assert chosen(3) == chosen(3)
    assert {position for seed in range(60) for position in chosen(seed)} == set(range(50))


@pytest.mark.parametrize("size", [0, -1, 30, 31])
def test_a_validation_size_out_of_reach_is_refused(size):
    labels = np.repeat(np.arange(10, dtype=np.uint8), 3)
    with pytest.raises(UserError, match="prepare_mnist"):
        split_train_validation(labels, validation_size=size, generator=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("counts", "size", "message"),
    [
        ([1] + [20] * 9, 18, "validation split .* none of class 0"),
        ([20] * 9 + [1], 170, "train split .* none of class 9"),
        ([20] * 9 + [0], 50, "none of class 9"),
    ],
)
def test_a_class_absent_from_a_split_is_refused(counts, size, message):
    labels = np.repeat(np.arange(10, dtype=np.uint8), counts)
    with pytest.raises(UserError, match=message):
        split_train_validation(labels, validation_size=size, generator=np.random.default_rng(0))


def test_choosing_more_rows_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="cannot choose 4 of 3"):
        choose_stratified(np.zeros(3), 4, np.random.default_rng(0))
