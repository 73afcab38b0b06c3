"""Training on a set larger than memory by any number of processes, whose weights are the same bits for any number.

    export PYTHONPATH=src:benchmarks TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
    torchrun --standalone --nproc-per-node 2 --max-restarts 3 \
        src/stage.py portable benchmarks/data_parallel.py data/augmented/8100000 model.safetensors

Each batch is cut into as many shards as the settings say, whatever the number of workers. The set's blocks are dealt to
the shards, and the shards to the workers: a worker reads its own alone. The gradients of the shards are summed in one
binary tree, of whose branches a worker adds up those that are its own; so every worker has the same gradient, and takes
the same step of Adam. Synchronous data parallelism as in Dean et al. (2012) and Goyal et al. (2017), the order fixed.
"""

import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.distributed as dist
import typer
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from harness import peak_memory
from memory_mapped import BLOCK, MemoryMappedImages
from notes.files import UserError, digest, load_tensors, save_tensors
from notes.networks.determinism import make_deterministic
from notes.networks.extras import make_optimizer
from notes.networks.losses import make_criterion
from notes.networks.mlp import Mlp, NonFiniteLossError
from notes.networks.model_files import save_network
from notes.script import run_script
from shard_gradients import ShardGradients, Worker

SIZES = (784, 128, 64, 10)
MOMENTS = ("exp_avg", "exp_avg_sq")
# Without it torchrun's store keeps, over a restart, the addresses of workers that have ended.
FRESH_STORE = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
ENVIRONMENT = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_WORLD_SIZE": 1}  # which torchrun sets, and what holds without


@dataclass(frozen=True)
class Settings:
    """What the bits of the weights depend on: the number of workers is not among it."""

    shards: int
    batch_size: int
    epochs: int
    learning_rate: float
    seed: int


def open_shards(folder: Path, settings: Settings, worker: Worker) -> list[MemoryMappedImages]:
    """Return the set once for each of this worker's shards; raise UserError where set and settings do not fit."""
    if settings.batch_size < 1 or settings.batch_size % settings.shards:
        raise UserError(f"a batch of {settings.batch_size} cannot be cut into {settings.shards} equal shards.")
    samples = [MemoryMappedImages(folder) for _ in worker.shards]
    if not len(samples[0]) or len(samples[0]) % (settings.shards * BLOCK):
        raise UserError(
            f"{folder} holds {len(samples[0])} images, which {settings.shards} shards cannot share in "
            f"blocks of {BLOCK}: choose other --shards, or make a set of a multiple of {settings.shards * BLOCK}."
        )
    return samples


def shard_batches(
    samples: Sequence[MemoryMappedImages], settings: Settings, worker: Worker, first: int = 0
) -> Iterator[tuple[int, tuple[tuple[Tensor, Tensor], ...]]]:
    """Yield the batches of this worker's shards with the number of their step, from 1, without the `first` steps.

    Each epoch has an order of its own.
    """
    size, steps = settings.batch_size // settings.shards, steps_an_epoch(len(samples[0]), settings)
    for epoch in range(first // steps, settings.epochs):
        state = int(np.random.SeedSequence([settings.seed, epoch]).generate_state(1, np.uint64)[0]) >> 1
        streams = [
            one.batches(size, torch.Generator().manual_seed(state), shard=shard, shards=settings.shards)
            for one, shard in zip(samples, worker.shards, strict=True)
        ]
        numbered = enumerate(zip(*streams, strict=True), epoch * steps + 1)
        yield from islice(numbered, max(first - epoch * steps, 0), None)


def steps_an_epoch(images: int, settings: Settings) -> int:
    """Return how many batches the set has, the last one smaller."""
    return math.ceil(images / settings.batch_size)


def train(folder: Path, model: Path, settings: Settings, worker: Worker, every: int) -> dict[str, Any]:
    """Train on the set in `folder`, let worker 0 write the model, and return what is printed of it.

    Every `every` steps there is a line of progress and a checkpoint beside the model, from which a start with the same
    settings goes on. Raises UserError for what does not fit, and NonFiniteLossError.
    """
    samples = open_shards(folder, settings, worker)
    described = {**asdict(settings), "images": len(samples[0])}
    make_deterministic(settings.seed)
    network = Mlp(SIZES[0], SIZES[1:-1], SIZES[-1]).initialise(torch.Generator().manual_seed(settings.seed))
    optimizer = make_optimizer(network, "adam", settings.learning_rate)
    gradients = ShardGradients(network, make_criterion("cross_entropy"), settings.shards, worker)
    checkpoint = model.with_name(f"{model.name}.checkpoint")
    first = resume(checkpoint, network, optimizer, described)
    worker.require_same(
        torch.tensor(list(hashlib.sha256(json.dumps([described, first]).encode()).digest())),
        f"the workers have other settings, sets or checkpoints: give all the same, and {model} where all see it.",
    )
    total = settings.epochs * steps_an_epoch(len(samples[0]), settings)
    seen, started = 0, time.perf_counter()
    for done, batches in shard_batches(samples, settings, worker, first):
        loss = gradients(batches)
        optimizer.step()
        seen += settings.shards * len(batches[0][1])
        if done % every and done < total:
            continue
        if not math.isfinite(loss):
            raise NonFiniteLossError(f"the loss is no longer finite at step {done}: lower --learning-rate.")
        worker.require_same(
            parameters_to_vector(network.parameters()).detach(),
            "the workers' weights differ: give all the numeric mode `portable` and the same versions.",
        )
        if worker.number == 0:
            speed = seen / (time.perf_counter() - started)
            print(f"step {done:,} of {total:,}  loss {loss:.4g}  {speed:,.0f} images/s", file=sys.stderr, flush=True)
            save_checkpoint(checkpoint, network, optimizer, {**described, "steps": done})
    seconds = time.perf_counter() - started
    if worker.number == 0:
        save_network(model, network)
    peaks = worker.gather(torch.tensor([peak_memory()]))  # none ends before the model is there
    if worker.number == 0:
        checkpoint.unlink(missing_ok=True)
    return {"images": seen, "seconds": seconds, "peak_gib": [peak.item() for peak in peaks]}


def save_checkpoint(path: Path, network: Mlp, optimizer: torch.optim.Optimizer, described: dict[str, Any]) -> None:
    """Write the weights and Adam's two means of each, with the settings and the number of `steps`."""
    tensors = {}
    for name, values in network.named_parameters():
        tensors[f"weights.{name}"] = values.detach().numpy()
        for moment in MOMENTS:
            tensors[f"{moment}.{name}"] = optimizer.state[values][moment].numpy()
    save_tensors(path, tensors, described)


@torch.no_grad()
def resume(path: Path, network: Mlp, optimizer: torch.optim.Optimizer, described: dict[str, Any]) -> int:
    """Take network and optimizer from a checkpoint, if there is one, and return the number of steps that it has.

    Raises UserError when it is of other settings or another set.
    """
    if not path.exists():
        return 0
    tensors, found = load_tensors(path)
    steps = found.pop("steps", 0)
    if found != described:
        raise UserError(f"{path} is of a training with {found}, not {described}: remove it, or give those.")
    for name, values in network.named_parameters():
        values.copy_(torch.from_numpy(tensors[f"weights.{name}"]))
        moments = {moment: torch.from_numpy(tensors[f"{moment}.{name}"]).clone() for moment in MOMENTS}
        optimizer.state[values] = {"step": torch.tensor(float(steps)), **moments}
    return int(steps)


def main(
    folder: Annotated[Path, typer.Argument(help="the set: images.npy and labels.npy of make_augmented_set")],
    model: Annotated[Path, typer.Argument(help="the model file to write")],
    shards: Annotated[int, typer.Option(min=1, help="parts of a batch; the number of workers divides it")] = 4,
    batch_size: Annotated[int, typer.Option(min=1, help="images a step, of all shards together")] = 1024,
    epochs: Annotated[int, typer.Option(min=1)] = 1,
    learning_rate: Annotated[float, typer.Option(min=0)] = 0.001,
    seed: Annotated[int, typer.Option(min=0)] = 7,
    every: Annotated[int, typer.Option(min=1, help="steps between checkpoints")] = 1000,
) -> None:
    """Train on the set in FOLDER and write MODEL; started by torchrun, or alone as the only worker.

    The last line, on standard output, is JSON: images, seconds, each worker's peak memory, and the model's SHA-256.
    """
    threadpool_limits(1)
    settings = Settings(shards, batch_size, epochs, learning_rate, seed)
    number, count, here = (int(os.environ.get(name, one)) for name, one in ENVIRONMENT.items())
    worker = Worker.of(number, count, shards)
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        raise UserError("torchrun could not restart the workers: export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 first.")
    if count > 1:
        if here == count:  # all on this machine: they listen on its loopback address alone
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
        dist.init_process_group("gloo")
    try:
        result = train(folder, model, settings, worker, every)
    finally:
        if count > 1:
            dist.destroy_process_group()
    if number == 0:
        print(json.dumps({**result, "sha256": digest(model, "sha256")}), flush=True)


if __name__ == "__main__":
    run_script(main)
