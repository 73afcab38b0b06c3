"""Ever more stages: what a repro costs that has nothing to do, or a chain, and a thousand stages of a second."""

import hashlib
import itertools
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clone import DVC
from harness import figures, interleaved, spread, summarise, table, target, targets_table
from runners import CHAIN, JOBS, PROVENN, pairs, require_results, seconds, write_dvc, write_sources

COMMANDS = {"dvc": [*DVC, "repro"], "provenn": [*PROVENN, "repro", "--jobs", str(JOBS)]}
SIZES, LONG = (53, 1000, 5000), 1000
QUICK_SIZES, QUICK_LONG = (53, 200, 500), 50
CHANGED_AT_MOST = 1000  # stages; with 5,000 DVC takes minutes for the five of a chain
ENTRY = """\
  s{number}:
    cmd: cp {source} {target}
    deps:
    - path: {source}
      hash: md5
      md5: {digest}
      size: 1
    outs:
    - path: {target}
      hash: md5
      md5: {digest}
      size: 1
"""


def measure(quick: bool) -> dict[str, Any]:
    """Return the seconds of `dvc repro` and `provenn repro` by the number of stages, and of many stages of a second."""
    sizes, long, rounds = (QUICK_SIZES, QUICK_LONG, 2) if quick else (SIZES, LONG, 3)
    with tempfile.TemporaryDirectory(prefix="provenn-bench-") as folder:
        nothing, change = {}, {}
        for count in sizes:
            place = Path(folder, str(count))
            make_up_to_date(place, count)
            calls = {name: partial(seconds, command, place) for name, command in COMMANDS.items()}
            nothing[str(count)] = interleaved(calls, rounds)
            if count <= CHANGED_AT_MOST:
                seconds([*PROVENN, "sync"], place)  # a run for each stage, as there is after they have run
                turns = itertools.count(1)
                calls = {name: partial(changed, place, command, turns) for name, command in COMMANDS.items()}
                change[str(count)] = interleaved(calls, rounds)
        place = Path(folder, "long")
        write_sources(place, long)
        write_dvc(place, long, "sleep 1; cp")
        took = seconds(COMMANDS["provenn"], place)
        require_results(place, long, "0")
    return {"nothing": nothing, "change": change, "long": {"stages": long, "seconds": took}}


def make_up_to_date(place: Path, count: int) -> None:
    """Make a repository in which so many stages have run: its files, its lock and its cache are as DVC leaves them."""
    write_sources(place, count)
    write_dvc(place, count)
    digest = hashlib.md5(b"0", usedforsecurity=False).hexdigest()
    entries = []
    for number, (source, copy) in enumerate(pairs(count)):
        (place / copy).write_text("0")
        entries.append(ENTRY.format(number=number, source=source, target=copy, digest=digest))
    (place / "dvc.lock").write_text("".join(["schema: '2.0'\nstages:\n", *entries]))
    cached = place / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    cached.parent.mkdir(parents=True)
    cached.write_text("0")


def changed(place: Path, command: list[str], turns: Iterator[int]) -> float:
    """Return the seconds of a command after the first source has changed."""
    text = str(next(turns))
    (place / "source_0.txt").write_text(text)
    took = seconds(command, place)
    require_results(place, CHAIN, text)
    return took


def report(result: Mapping[str, Any]) -> str:
    """Return the section of docs/performance.md."""
    nothing, change = result["nothing"], result["change"]
    rows = [
        [
            f"{int(count):,}",
            *(
                spread(measured[count][name]) if count in measured else ""
                for measured in (nothing, change)
                for name in COMMANDS
            ),
        ]
        for count in nothing
    ]
    header = ["stages", *(f"{name}, {what}" for what in ("nothing to do", "one source changed") for name in COMMANDS)]
    smallest, *_, middle, largest = nothing
    per_stage = {count: measured["provenn"]["median"] / int(count) for count, measured in nothing.items()}
    long = result["long"]
    goals = [
        target(
            f"{long['stages']:,} stages of one second: seconds of `provenn repro --jobs {JOBS}` / their work",
            summarise([long["seconds"] * JOBS / long["stages"]]),
            at_most=1.25,
        ),
        target(
            f"{smallest} stages with nothing to do: seconds of `provenn repro`",
            nothing[smallest]["provenn"],
            at_most=3,
        ),
        target(
            f"the same, a stage of {int(largest):,} / a stage of {int(middle):,}",
            summarise([per_stage[largest] / per_stage[middle]]),
            at_most=1.25,
        ),
    ]
    return f"""\
Stages that copy one small file, in chains of {CHAIN}, with `dvc repro` and with `provenn repro --jobs {JOBS}`. A
changed source makes one chain stale. Seconds:

{table(header, rows)}

Then {long["stages"]:,} stages that sleep for a second before they copy: {figures(long["seconds"])} s, until MLflow
shows a run for each of them, where {JOBS} at once sleep for {long["stages"] / JOBS:,.0f} s.

{targets_table(goals)}
"""
