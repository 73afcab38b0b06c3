"""Measure the sections, keep their numbers in benchmarks/results.json and write docs/performance.md from them.

With `--check` nothing is measured: the exit code is 1 when the page or its figure does not show results.json.
"""

import argparse
import importlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import ROOT, machine
from notes.files import UserError, read_json, write_bytes, write_json

SECTIONS = {
    "engine": "Training engine",
    "portable": "The portable numeric mode",
    "precision": "bfloat16",
    "scale": "Scale",
    "workers": "Several processes",
    "inference": "Inference",
    "pipeline": "Pipeline",
    "runners": "Beside other runners",
    "growth": "Ever more stages",
    "invalidation": "What is run again",
}
RESULTS = Path("benchmarks/results.json")
PAGE = Path("docs/performance.md")
FIGURE = Path("docs/images/performance.png")
BUSY = 0.5  # load average of a machine that has other work
SETS = ("scale", "workers")  # sections that `--large` concerns
COUNTS = ("invalidation",)  # sections without a time, which other work does not change
INTRODUCTION = """\
# Performance

<!-- Generated from benchmarks/results.json by `python benchmarks/run.py`: do not edit. -->

How fast training, inference and the pipeline are, against what others reach on the same machine and against what the
machine could do. `make bench` measures all of it anew; `python benchmarks/run.py --section engine` one section.

Absolute numbers are those of one machine on one day. So every target is a ratio of two things that were measured in
turn, round by round, each round beginning with another one; what slows a whole round cancels. A number is the median
of the rounds, with the lowest and the highest of them. Unless a section says otherwise, everything runs on one thread,
in a process of its own.

![What was measured, at a glance](images/performance.png)
"""


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> None:
    """Measure and write, or check; a mistake that the user can mend ends with one sentence and exit code 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--section", action="append", choices=list(SECTIONS), help="only this section; may be repeated")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, to see that all of it works")
    parser.add_argument("--large", action="store_true", help="also train on 8.1 million images (6.4 GB of disk)")
    parser.add_argument("--page", action="store_true", help="measure nothing; write the page from results.json")
    parser.add_argument("--check", action="store_true", help="measure nothing; fail if the page is not current")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.check:
            check(root)
        elif chosen.page:
            write_page(root)
        else:
            measure(chosen.section or list(SECTIONS), root, quick=chosen.quick, large=chosen.large)
    except UserError as error:
        sys.exit(str(error))


def measure(names: Sequence[str], root: Path, *, quick: bool, large: bool) -> None:
    """Measure sections one by one; after each, results.json and the page hold it, and the others as they were."""
    load = os.getloadavg()[0]
    for name in names:
        print(f"{name}: measuring", flush=True)
        started = time.monotonic()
        options = {"large": large} if name in SETS else {}
        result = importlib.import_module(name).measure(quick, **options)
        known = read_json(root / RESULTS) if (root / RESULTS).is_file() else {}
        known[name] = {"machine": machine(), "load": load, "quick": quick, "result": result}
        write_json(root / RESULTS, {section: known[section] for section in SECTIONS if section in known})
        write_page(root)
        print(f"{name}: done in {time.monotonic() - started:.0f} s", flush=True)


def write_page(root: Path) -> None:
    """Write docs/performance.md and its figure from results.json."""
    import plot

    results = measured(root)
    plot.write(results, root / FIGURE)
    write_bytes(root / PAGE, page(results).encode())


def check(root: Path) -> None:
    """Raise UserError when the page or its figure was not made from results.json."""
    import plot

    results = measured(root)
    current = {
        PAGE: (root / PAGE).is_file() and (root / PAGE).read_text(encoding="utf-8") == page(results),
        FIGURE: plot.shows(root / FIGURE, results),
    }
    stale = [str(path) for path, same in current.items() if not same]
    if stale:
        raise UserError(f"Not as {RESULTS} has it: {', '.join(stale)}. Run `python benchmarks/run.py --page`.")


def measured(root: Path) -> dict[str, Any]:
    """Return the content of results.json; raise UserError when there is none."""
    if not (root / RESULTS).is_file():
        raise UserError(f"{RESULTS} is missing: run `make bench` first.")
    return dict(read_json(root / RESULTS))


def page(results: dict[str, Any]) -> str:
    """Return docs/performance.md: the introduction, then each measured section as its module reports it."""
    parts = [INTRODUCTION]
    for name, section in results.items():
        report = importlib.import_module(name).report(section["result"])
        parts.append(f"## {SECTIONS[name]}\n\n{measured_on(section, timed=name not in COUNTS)}\n\n{report.strip()}\n")
    return "\n".join(parts)


def measured_on(section: dict[str, Any], timed: bool = True) -> str:
    """Return the sentence about a section's machine."""
    it = section["machine"]
    lines = [
        f"*Measured on {it['processor']} ({it['instructions']}), {it['cores']} core{'s' if it['cores'] > 1 else ''}, "
        f"{it['memory_gib']:.0f} GiB of memory; Python {it['python']}, torch {it['torch']}"
        f"{', numpy with ' + it['blas'] if 'blas' in it else ''}.*"
    ]
    if section["quick"]:
        lines.append("*A quick run, with fewer and shorter rounds.*")
    if timed and section["load"] > BUSY:
        load = f"load {section['load']:.1f}"
        lines.append(f"*The machine had other work ({load}): absolute numbers and shares of the peak are too low.*")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
