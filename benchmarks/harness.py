"""What every section shares: measuring in turn, ratios, targets, processes of their own, and the machine's name."""

import importlib.metadata
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

from notes.files import UserError
from notes.numeric import set_up

ROOT = Path(__file__).resolve().parents[1]

Measurement = dict[str, Any]  # median, low and high of the values, and the values, one a round


def summarise(values: Sequence[float]) -> Measurement:
    """Return the median of the rounds with the lowest and the highest of them."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "values": list(values)}


def interleaved(variants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Measurement]:
    """Call every variant once a round, `rounds` times, and summarise what each returned.

    Each round begins with another variant, so that neither a machine that slows down nor what the one before left in
    the caches favours any of them.
    """
    names = list(variants)
    values: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            values[name].append(variants[name]())
        latest = ", ".join(f"{name} {figures(values[name][-1])}" for name in names)
        print(f"  round {turn + 1} of {rounds}: {latest}", flush=True)
    return {name: summarise(values[name]) for name in names}


def ratio(numerator: Measurement, denominator: Measurement) -> Measurement:
    """Summarise the quotients of two interleaved measurements, round by round: what slows a whole round cancels."""
    return summarise([a / b for a, b in zip(numerator["values"], denominator["values"], strict=True)])


def target(name: str, measured: Measurement, *, at_least: float | None = None, at_most: float | None = None) -> Any:
    """Return a target for `targets_table`, bounded from one side; it is reached when the median is."""
    bound = at_least if at_least is not None else at_most
    if bound is None or (at_least is not None and at_most is not None):
        raise ValueError(f"{name}: a target needs one bound")
    return {"name": name, "side": "≥" if at_least is not None else "≤", "bound": bound, "measured": measured}


def reached(goal: Mapping[str, Any]) -> bool:
    """Say whether the median is on the right side of the bound."""
    median = goal["measured"]["median"]
    return bool(median >= goal["bound"] if goal["side"] == "≥" else median <= goal["bound"])


def targets_table(goals: Sequence[Mapping[str, Any]]) -> str:
    """Return the targets as a Markdown table: wanted, measured with its spread, and by how much it was reached."""
    lines = ["| target | wanted | measured (lowest to highest round) | verdict |", "|---|---:|---:|---|"]
    for goal in goals:
        margin = 100 * abs(goal["measured"]["median"] / goal["bound"] - 1)
        verdict = f"reached, {margin:.0f} % better" if reached(goal) else f"**missed**, {margin:.0f} % worse"
        lines.append(f"| {goal['name']} | {goal['side']} {goal['bound']:g} | {spread(goal['measured'])} | {verdict} |")
    return "\n".join(lines)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, the first column to the left and the numbers to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def figures(value: float) -> str:
    """Return a number with three significant figures: 103,000 or 1.83 or 0.052."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = 2 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):,.{max(decimals, 0)}f}"


def spread(measured: Measurement) -> str:
    """Return a measurement as text: the median, and the range of the rounds where there are several."""
    median, low, high = (figures(measured[key]) for key in ("median", "low", "high"))
    return median if len(measured["values"]) == 1 else f"{median} ({low} to {high})"


@contextmanager
def own_process(numeric: str = "native") -> Iterator[Callable[..., Any]]:
    """Yield `call(function, *arguments)`, which runs functions in one new process that computes on one thread.

    It has the numeric mode `numeric` of the pipeline.

    The function must belong to a module, not to `run.py`. The process stays for the whole block: what its functions
    keep (a cached data set) is there at the next call.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_compute_on_one_thread) as executor:
        with patch.dict(os.environ):  # which the process inherits when it starts, with the first call
            set_up(numeric)
            executor.submit(int).result()
        yield lambda function, *arguments: executor.submit(function, *arguments).result()


def install(folder: Path, packages: Sequence[str]) -> Path:
    """Install packages into an environment of their own; return the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", *packages], check=True, stderr=subprocess.DEVNULL)
    return folder / "bin"


def require_files(*paths: str) -> None:
    """Raise UserError for the first path, relative to the repository's root, that the pipeline has not made yet."""
    for path in paths:
        if not (ROOT / path).exists():
            raise UserError(f"{path} is missing: run `make repro` first.")


def peak_memory() -> float:
    """Return the largest resident memory of this process so far, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def machine() -> dict[str, Any]:
    """Return what the numbers depend on: processor, cores that this process may use, memory in GiB, and versions."""
    import numpy  # noqa: F401  (loads its BLAS, which scikit-learn computes with)
    import psutil
    import torch
    from threadpoolctl import threadpool_info

    blas: dict[str, Any] = next((pool for pool in threadpool_info() if pool["user_api"] == "blas"), {})
    return {
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
        "blas": f"{blas.get('internal_api', 'BLAS')} {blas.get('architecture', 'unknown')}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _compute_on_one_thread() -> None:
    # Read when torch and the BLAS of numpy are loaded, which this new process has not done yet.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
