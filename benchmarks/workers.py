"""Training on images that are not held in memory by one worker and by two, to the same bits."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from data_parallel import FRESH_STORE
from harness import ROOT, figures, interleaved, own_process, ratio, require_files, spread, summarise, table
from memory_mapped import IMAGES, LABELS
from notes.files import UserError
from scale import FOLDER, LARGE, ORIGINALS, QUICK_SIZES, SIZES, forget, make_set

COUNTS = (1, 2)
SCRIPT = ("src/stage.py", "portable", "benchmarks/data_parallel.py")


def measure(quick: bool, large: bool = False) -> dict[str, Any]:
    """Make the set if it is missing, then train one epoch with each number of workers in turn.

    Raises UserError when they do not give the same model.
    """
    require_files(*ORIGINALS)
    size = LARGE if large else max(QUICK_SIZES if quick else SIZES)
    with own_process() as call:
        call(make_set, size)
    told: dict[str, list[dict[str, Any]]] = {str(count): [] for count in COUNTS}
    variants: dict[str, Callable[[], float]] = {
        name: partial(train, size, int(name), results) for name, results in told.items()
    }
    speeds = interleaved(variants, 2 if quick else 3)
    digests = {result["sha256"] for results in told.values() for result in results}
    if len(digests) > 1:
        raise UserError(f"the models of {' and '.join(told)} workers differ: {', '.join(sorted(digests))}.")
    memory = {name: summarise([max(result["peak_gib"]) for result in results]) for name, results in told.items()}
    return {"images": size, "speeds": speeds, "memory": memory, "sha256": digests.pop()}


def report(result: dict[str, Any]) -> str:
    """Return the section of docs/performance.md."""
    speeds = result["speeds"]
    rows = [[name, spread(speeds[name]), f"{figures(result['memory'][name]['median'])} GiB"] for name in speeds]
    first, *others = speeds
    gains = " and ".join(
        f"{name} workers are {spread(ratio(speeds[name], speeds[first]))} times as fast as {first}" for name in others
    )
    return f"""\
784-128-64-10 with Adam, one epoch of {result["images"]:,} images on disk, in batches of 1024 cut into four shards, by
`benchmarks/data_parallel.py` under `torchrun`, all workers on this machine, in the portable numeric mode. The operating
system has nothing of the set in its cache when an epoch begins. The time is that of the epoch with its checkpoints,
without the start of the processes.

{table(["workers", "images/s (lowest to highest round)", "peak memory of a worker"], rows)}

{gains}. All of them made the same model, bit for bit:
SHA-256 `{result["sha256"]}`."""


def train(size: int, workers: int, results: list[dict[str, Any]]) -> float:
    """Train on the set of this size, append what the training tells to `results`, and return images/s."""
    folder = ROOT / FOLDER / str(size)
    for name in (IMAGES, LABELS):
        forget(folder / name)
    paths = os.pathsep.join(str(ROOT / name) for name in ("src", "benchmarks"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, **FRESH_STORE}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={workers}"]
    with TemporaryDirectory() as temporary:
        model = Path(temporary) / "model.safetensors"
        told = subprocess.check_output([*torchrun, *SCRIPT, folder, model], cwd=ROOT, env=environment)
    results.append(json.loads(told))
    return float(results[-1]["images"] / results[-1]["seconds"])
