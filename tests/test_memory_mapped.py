"""The augmented set on disk: what is in it, how it is shuffled, and what is said about damage."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from memory_mapped import BLOCKS_IN_MEMORY, MemoryMappedImages, augmented_chunk, make_augmented_set
from notes.files import UserError
from notes.networks.extras import make_optimizer
from notes.networks.mlp import Mlp, train_epoch
from notes.networks.steps import step_by_autograd

STRENGTHS = SimpleNamespace(
    rotation=10.0, scale=0.1, shear=0.1, translation=1.0, elastic_displacement=1.0, elastic_smoothness=4.0
)


@pytest.fixture(scope="module")
def originals():
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (2000, 28, 28), np.uint8), generator.integers(0, 10, 2000).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(originals, tmp_path_factory):
    path = tmp_path_factory.mktemp("augmented")
    make_augmented_set(path, *originals, size=5000, strengths=STRENGTHS, seed=3)
    return path


def write(folder, images, labels):
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
    return folder


def test_the_set_begins_with_the_originals_and_repeats_their_labels(folder, originals):
    images, labels = np.load(folder / "images.npy"), np.load(folder / "labels.npy")
    assert np.array_equal(images[:2000], originals[0])
    assert np.array_equal(labels, np.resize(originals[1], 5000))
    assert (images[2000:4000] != originals[0]).any(axis=(1, 2)).all()


def test_a_sample_depends_on_its_number_and_the_seed_alone(folder, originals):
    images = np.load(folder / "images.npy")
    assert np.array_equal(augmented_chunk(*originals, 3, STRENGTHS, 3)[0], images[3000:4000])
    assert not np.array_equal(augmented_chunk(*originals, 3, STRENGTHS, 4)[0], images[3000:4000])
    assert not np.array_equal(images[2000:3000], images[4000:5000])


def test_progress_ends_with_the_size(originals, tmp_path):
    told = []
    make_augmented_set(tmp_path, *originals, size=2000, strengths=STRENGTHS, seed=0, progress=told.append)
    assert told == [1000, 2000]


@pytest.mark.parametrize("size", [0, 1500, -1000])
def test_a_size_that_does_not_fit_is_refused_and_nothing_is_written(originals, tmp_path, size):
    with pytest.raises(UserError, match=f"{size} from 2000"):
        make_augmented_set(tmp_path, *originals, size=size, strengths=STRENGTHS, seed=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("count", "batch_size"), [(5000, 64), (999, 1000), (BLOCKS_IN_MEMORY * 1000 + 1500, 4096)])
def test_an_epoch_visits_every_sample_once_in_an_order_of_its_own(tmp_path, count, batch_size):
    # The first four pixels spell the sample's number.
    images = np.zeros((count, 28, 28), np.uint8)
    images.reshape(count, 784)[:, :4] = np.arange(count, dtype="<u4").view(np.uint8).reshape(count, 4)
    labels = (np.arange(count) % 10).astype(np.uint8)
    samples = MemoryMappedImages(write(tmp_path, images, labels))
    generator = torch.Generator().manual_seed(0)
    orders = []
    for _ in range(2):
        batches = list(samples.batches(batch_size, generator))
        assert [len(kept) for _, kept in batches[:-1]] == [batch_size] * (len(batches) - 1)
        pixels = torch.cat([inputs[:, :4] for inputs, _ in batches]).mul(255).round().byte().numpy()
        order = pixels.copy().view("<u4").flatten()
        assert np.array_equal(np.sort(order), np.arange(count))
        assert np.array_equal(torch.cat([kept for _, kept in batches]).numpy(), order % 10)
        orders.append(order)
    assert not np.array_equal(*orders)
    assert np.corrcoef(orders[0], np.arange(count))[0, 1] < 0.9


def test_training_from_the_file_gives_what_training_from_memory_gives_on_the_same_order(originals, tmp_path):
    images, labels = originals
    samples = MemoryMappedImages(write(tmp_path, images, labels))

    def in_that_order(size, generator):
        starts = torch.randperm(2, generator=generator) * 1000
        blocks = torch.cat([torch.arange(start, start + 1000) for start in starts.tolist()])
        order = blocks[torch.randperm(len(labels), generator=generator)]
        for rows in order.split(size):
            pixels = torch.from_numpy(images[rows].reshape(-1, 784).astype(np.float32)) / 255
            yield pixels, torch.from_numpy(labels[rows].astype(np.int64))

    trained = []
    for batches in (samples.batches, in_that_order):
        network = Mlp(784, [16], 10).initialise(torch.Generator().manual_seed(1))
        optimizer = make_optimizer(network, "adam", 0.01)
        step = step_by_autograd(network, functional.cross_entropy, optimizer)
        train_epoch(step, batches(100, torch.Generator().manual_seed(2)))
        trained.append(network.state_dict())
    assert all(torch.equal(trained[0][name], trained[1][name]) for name in trained[0])


def test_damage_is_one_sentence_before_work_starts(tmp_path):
    images, labels = np.zeros((20, 28, 28), np.uint8), np.zeros(20, np.uint8)
    with pytest.raises(UserError, match=r"labels\.npy is missing"):
        MemoryMappedImages(tmp_path)
    write(tmp_path, images, labels)
    whole = (tmp_path / "images.npy").read_bytes()
    (tmp_path / "images.npy").write_bytes(whole[:-1])
    with pytest.raises(UserError, match=r"images\.npy is not a whole \.npy file"):
        MemoryMappedImages(tmp_path)
    for others in ((images.reshape(20, 784), labels), (images, labels[:19]), (images.astype(float), labels)):
        with pytest.raises(UserError, match=r"does not hold bytes \(n, 28, 28\) with n labels: make it again"):
            MemoryMappedImages(write(tmp_path, *others))
