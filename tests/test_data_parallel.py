"""Training by several processes: the bits of one, the gradient of the whole batch, kills, and what does not fit."""

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch
from torch.nn import functional

from data_parallel import FRESH_STORE, Settings, open_shards, save_checkpoint, shard_batches, train
from harness import ROOT
from notes.files import UserError, digest
from notes.networks.losses import make_criterion
from notes.networks.mlp import Mlp, NonFiniteLossError
from notes.networks.model_files import load_network
from shard_gradients import ShardGradients, Worker, sum_of_all, tree_sum

COUNT, EPOCHS = 12_000, 4
OPTIONS = ("--batch-size=100", f"--epochs={EPOCHS}")
ALONE = Worker.of(0, 1, 4)
SETTINGS = Settings(shards=4, batch_size=100, epochs=2, learning_rate=0.001, seed=7)
SCRIPT = ["src/stage.py", "portable", "benchmarks/data_parallel.py"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("set")
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, COUNT).astype(np.uint8)
    images = generator.integers(0, 50, (COUNT, 28, 28)).astype(np.uint8)
    images.reshape(COUNT, 784)[np.arange(COUNT), labels] = 255
    # The last four pixels spell the sample's number.
    images.reshape(COUNT, 784)[:, -4:] = np.arange(COUNT, dtype="<u4").view(np.uint8).reshape(COUNT, 4)
    np.save(path / "images.npy", images)
    np.save(path / "labels.npy", labels)
    return path


def numbers(batches):
    pixels = torch.cat([inputs[:, -4:] for inputs, _ in batches]).mul(255).round().byte().numpy()
    return pixels.copy().view("<u4").flatten()


def command(*arguments, workers, restarts=0):
    """Return torchrun's command for this number of workers on this machine, or for none the script's alone."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={workers}"]
    torchrun += [f"--max-restarts={restarts}", "--monitor-interval=0.1"]
    return [sys.executable, *(torchrun if workers else []), *SCRIPT, *map(str, arguments)]


def environment():
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'benchmarks'}", "OMP_NUM_THREADS": "1", **FRESH_STORE}


def run(*arguments, workers):
    return subprocess.run(
        command(*arguments, workers=workers), cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    """The model that one worker makes."""
    model = tmp_path_factory.mktemp("alone") / "model.safetensors"
    result = run(folder, model, *OPTIONS, workers=1)
    assert result.returncode == 0, result.stderr
    return model


class Recorder:
    """A worker after whom all others have sent theirs."""

    def __init__(self):
        self.sent = []

    def gather(self, values):
        self.sent.append(values)
        return self.sent


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 7, 12])
def test_the_tree_adds_up_its_parts_and_no_number_of_workers_changes_a_bit_of_it(count):
    parts = list(torch.randn(count, 1000, generator=torch.Generator().manual_seed(count)))
    whole = tree_sum(parts)
    assert torch.allclose(whole.double(), torch.stack(parts).double().sum(0), atol=count * 2**-20, rtol=0)
    for each in (each for each in range(1, count + 1) if count % each == 0):
        workers = Recorder()
        sums = [sum_of_all(parts[start : start + each], workers) for start in range(0, count, each)]
        assert torch.equal(sums[-1], whole)


def test_the_gradient_is_that_of_the_whole_batch_by_autograd(folder):
    network = Mlp(784, [128, 64], 10).initialise(torch.Generator().manual_seed(1))
    _, batches = next(shard_batches(open_shards(folder, SETTINGS, ALONE), SETTINGS, ALONE))
    loss = ShardGradients(network, make_criterion("cross_entropy"), 4, ALONE)(batches)
    found = [values.grad.clone() for values in network.parameters()]
    network = network.double()
    inputs, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    expected = functional.cross_entropy(network(inputs.double()), labels)
    for one, other in zip(found, torch.autograd.grad(expected, list(network.parameters())), strict=True):
        assert (one - other).norm() <= 1e-5 * other.norm()
    assert loss == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("batch_size", [100, 1024])
def test_the_shards_of_all_workers_are_the_set_and_no_sample_is_in_two(folder, batch_size):
    settings = Settings(shards=4, batch_size=batch_size, epochs=2, learning_rate=0.001, seed=7)
    epochs = []
    for number in range(2):
        worker = Worker.of(number, 2, 4)
        steps = [step for _, step in shard_batches(open_shards(folder, settings, worker), settings, worker)]
        assert all(len(labels) == len(step[0][1]) for step in steps for _, labels in step)
        half = len(steps) // 2
        epochs.append([numbers([batch for step in part for batch in step]) for part in (steps[:half], steps[half:])])
    for mine, others in zip(*epochs, strict=True):
        assert np.array_equal(np.sort(np.concatenate([mine, others])), np.arange(COUNT))
    assert not np.array_equal(*epochs[0])


@pytest.mark.slow
def test_the_network_learns_the_labels(folder, undisturbed):
    images, labels = np.load(folder / "images.npy"), np.load(folder / "labels.npy")
    with torch.no_grad():
        logits = load_network(undisturbed)(torch.from_numpy(images.reshape(COUNT, 784)).float() / 255)
    assert (logits.argmax(1).numpy() == labels).mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
def test_several_workers_train_the_bits_of_one(folder, tmp_path, undisturbed, workers):
    model = tmp_path / "model.safetensors"
    result = run(folder, model, *OPTIONS, workers=workers)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["images"], len(told["peak_gib"])) == (EPOCHS * COUNT, workers)
    assert told["sha256"] == digest(model, "sha256") == digest(undisturbed, "sha256")
    assert [path.name for path in tmp_path.iterdir()] == [model.name]


@pytest.mark.slow
@pytest.mark.fault(
    "a worker of data-parallel training is killed",
    "torchrun starts all again from the last checkpoint; the weights are those of an undisturbed run, bit for bit",
)
def test_after_a_kill_the_workers_go_on_to_the_same_bits(folder, tmp_path, undisturbed):
    model = tmp_path / "model.safetensors"
    torchrun = command(folder, model, *OPTIONS, "--every=9", workers=2, restarts=1)
    with subprocess.Popen(torchrun, cwd=ROOT, env=environment(), stdout=-1, stderr=-1, text=True) as process:
        for line in process.stderr:
            if line.startswith("step 18 of"):  # the checkpoint of step 9 is whole
                break
        workers = [child for child in psutil.Process(process.pid).children() if SCRIPT[-1] in child.cmdline()]
        workers[1].kill()
        stdout, stderr = process.communicate(timeout=300)
    assert len(workers) == 2
    assert process.returncode == 0, stderr
    told = json.loads(stdout)
    assert 0 < told["images"] < EPOCHS * COUNT  # the second start did not begin anew
    assert told["sha256"] == digest(model, "sha256") == digest(undisturbed, "sha256")


def test_a_training_that_ends_in_its_second_epoch_goes_on_to_the_same_bits(folder, tmp_path, monkeypatch):
    train(folder, tmp_path / "whole", SETTINGS, ALONE, every=1000)

    def save_and_end(path, network, optimizer, described):
        save_checkpoint(path, network, optimizer, described)
        if described["steps"] == 150:
            raise KeyboardInterrupt

    monkeypatch.setattr("data_parallel.save_checkpoint", save_and_end)
    with pytest.raises(KeyboardInterrupt):
        train(folder, tmp_path / "ended", SETTINGS, ALONE, every=50)
    told = train(folder, tmp_path / "ended", SETTINGS, ALONE, every=50)
    assert told["images"] == 2 * COUNT - 150 * 100
    assert digest(tmp_path / "ended") == digest(tmp_path / "whole")


def test_a_checkpoint_of_other_settings_is_refused(folder, tmp_path):
    model = tmp_path / "model.safetensors"
    with pytest.raises(NonFiniteLossError, match=r"no longer finite at step \d+: lower --learning-rate"):
        train(folder, model, replace(SETTINGS, learning_rate=1e30), ALONE, every=1)
    assert [path.name for path in tmp_path.iterdir()] == [f"{model.name}.checkpoint"]
    with pytest.raises(UserError, match=r"checkpoint is of a training with .*1e\+30.*, not .*0\.001.*: remove it"):
        train(folder, model, SETTINGS, ALONE, every=1)


@pytest.mark.parametrize(("shards", "workers"), [(4, 3), (4, 8), (0, 1)])
def test_workers_that_do_not_divide_the_shards_are_refused(shards, workers):
    with pytest.raises(UserError, match=f"{shards} shards cannot be dealt to {workers} workers"):
        Worker.of(0, workers, shards)


def test_a_batch_and_a_set_that_cannot_be_cut_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match="a batch of 102 cannot be cut into 4 equal shards"):
        open_shards(folder, replace(SETTINGS, batch_size=102), ALONE)
    with pytest.raises(UserError, match="holds 12000 images, which 5 shards cannot share in blocks of 1000"):
        open_shards(folder, replace(SETTINGS, shards=5), Worker.of(0, 1, 5))


def test_workers_that_differ_are_refused():
    workers = Recorder()
    for _ in range(2):
        Worker.require_same(workers, torch.tensor([0.0, math.nan]), "they differ")
    with pytest.raises(UserError, match="they differ"):
        Worker.require_same(workers, torch.tensor([-0.0, math.nan]), "they differ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "workers", "said"),
    [
        (".", 3, "error: 4 shards cannot be dealt to 3 workers: let the workers divide --shards."),
        ("none", 0, r"error: .*labels\.npy is missing: .*"),
    ],
)
def test_a_wrong_start_ends_with_a_sentence_and_no_model(folder, tmp_path, name, workers, said):
    result = run(folder / name, tmp_path / "model.safetensors", workers=workers)
    assert result.returncode == 1
    assert re.match(said, result.stderr)
    assert workers or result.stderr.count("\n") == 1  # torchrun adds a report of its own
    assert not list(tmp_path.iterdir())
