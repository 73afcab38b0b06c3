"""Where the pipeline's time goes that is not work: a cold one stage by stage, one with nothing to do, one change."""

import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from clone import DVC, PYTHON, Clone
from harness import figures, interleaved, ratio, summarise, table, target, targets_table
from notes.figures.canvas import BLUE, GREY, ORANGE, PALE, SKY
from provenn.repro.runner import available_cores

PROVENN = [*PYTHON, "-m", "provenn"]
SERIAL = {"dvc": [*DVC, "repro"], "provenn": [*PROVENN, "repro", "--jobs", "1"]}
QUICK = ["export_model@moons"]  # with all that it needs


def measure(quick: bool) -> dict[str, Any]:
    """Return the measurements; `quick` takes one task instead of all. MNIST comes from data/raw where that is there."""
    targets, rounds = (QUICK, 2) if quick else ([], 5)
    jobs = available_cores()
    with tempfile.TemporaryDirectory(prefix="provenn-bench-") as folder:
        clones = {name: Clone(Path(folder) / name) for name in SERIAL}
        cold = {name: clones[name].traced([*command, *targets]) for name, command in SERIAL.items()}
        beside = Clone(Path(folder) / "parallel")
        parallel = beside.run([*PROVENN, "repro", "--jobs", str(jobs), *targets])
        made, *others = (clone.contents() for clone in (*clones.values(), beside))
        different = sorted(path for other in others for path in made | other if made.get(path) != other.get(path))
        serial = clones["dvc"]
        nothing = {
            "dvc status": partial(serial.run, [*DVC, "status", *targets, *["--with-deps"] * quick]),
            **{f"{name} repro": partial(clones[name].run, [*SERIAL[name], *targets]) for name in SERIAL},
        }
        change = {
            "dvc": partial(clones["dvc"].change, [*DVC, "repro", *targets]),
            "provenn": partial(beside.change, [*PROVENN, "repro", "--jobs", str(jobs), *targets]),
        }
        tracked = {
            "with": partial(serial.run_stage, tracked=True),
            "without": partial(serial.run_stage, tracked=False),
        }
        return {
            "cold": cold,
            "jobs": jobs,
            "parallel": parallel,
            "different": different,
            "nothing": interleaved(nothing, rounds),
            "change": interleaved(change, rounds),
            "tracking": interleaved(tracked, rounds),
        }


def report(result: Mapping[str, Any]) -> str:
    """Return the section of docs/performance.md."""
    cold, nothing, tracked = result["cold"], result["nothing"], result["tracking"]
    shares = {name: _shares(of) for name, of in cold.items()}
    work = {name: parts["work"] for name, parts in shares.items()}
    overhead = [a - b for a, b in zip(tracked["with"]["values"], tracked["without"]["values"], strict=True)]
    cost = {name: summarise([of["seconds"] / work[name]]) for name, of in cold.items()}
    dvc, provenn = (ratio(nothing[f"{name} repro"], nothing["dvc status"]) for name in SERIAL)
    goals = [
        target("cold `dvc repro` / its work", cost["dvc"], at_most=1.6),
        target("cold `provenn repro --jobs 1` / its work", cost["provenn"], at_most=1.5),
        target("`dvc repro` with nothing to do / `dvc status`", dvc, at_most=1.5),
        target("`provenn repro` with nothing to do / `dvc status`", provenn, at_most=1.5),
        target("a parameter changed: seconds of `dvc repro` above the fit", result["change"]["dvc"], at_most=8),
        target(f"the same of `provenn repro --jobs {result['jobs']}`", result["change"]["provenn"], at_most=6),
        target("seconds of a training stage with MLflow above those without", summarise(overhead), at_most=2.5),
    ]
    rows = [
        [
            what,
            *(f"{figures(of[what])}, {100 * of[what] / cold[name]['seconds']:.0f} %" for name, of in shares.items()),
        ]
        for what in shares["dvc"]
    ]
    same = "the same, byte for byte" if not result["different"] else f"different: {', '.join(result['different'])}"
    faster = figures(result["parallel"] / cold["dvc"]["seconds"])
    return f"""\
{targets_table(goals)}

Work is what is left of a stage's time without starting Python, importing packages and waiting for MLflow: computing,
drawing, reading and writing files. `provenn repro --jobs {result["jobs"]}` took {figures(result["parallel"])} s,
{faster} of the time of `dvc repro`; the results of all three are {same}.
The changed parameter is the learning rate of `moons_mlp`, on which the evaluation, its pictures and the export depend:
a process each, with its imports.

Where the seconds of a cold repro of {len(cold["dvc"]["stages"])} stages go, one at a time. With Provenn, which runs DVC
in a fork of its own process, *DVC* is both, and the wait for MLflow at the end:

{table(["", *(f"`{name} repro`, {figures(of['seconds'])} s" for name, of in cold.items())], rows)}

The seconds of the stages under `dvc repro`, by the script that they run:

{table(["stage", "times", "all", "start", "imports", "tracking", "work"], _groups(cold["dvc"]["stages"]))}
"""


def draw(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw what a cold repro spends its time on, under DVC and under Provenn, as bars."""
    left = dict.fromkeys(SERIAL, 0.0)
    shares = {name: _shares(of) for name, of in result["cold"].items()}
    for what, color in zip(shares["dvc"], (GREY, ORANGE, SKY, PALE, BLUE), strict=True):
        widths = [parts[what] for parts in shares.values()]
        axes.barh(list(shares), widths, left=list(left.values()), color=color, label=what)
        left = {name: left[name] + parts[what] for name, parts in shares.items()}
    axes.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.45, -0.25), fontsize=8.5, handlelength=1)
    axes.grid(visible=False, axis="y")
    axes.set(title="A cold pipeline", xlabel="seconds")


def _shares(cold: Mapping[str, Any]) -> dict[str, float]:
    """Return the seconds of a cold repro by what they went to, the work last."""
    parts = _parts(cold["stages"])
    return {"DVC": cold["seconds"] - sum(parts.values())} | parts


def _parts(stages: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the seconds of all stages together, by what they went to."""
    parts = dict.fromkeys(("starting Python", "imports", "tracking", "work"), 0.0)
    for stage in stages:
        for what, seconds in stage["seconds"].items():
            parts["imports" if what.startswith("import ") else what] += seconds
        parts["starting Python"] += stage["start"]
    return parts


def _groups(stages: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for stage in stages:
        found[stage["stage"].partition("@")[0]].append(stage)
    return [
        [f"`{name}`", str(len(group)), *(f"{s:.1f}" for s in (sum(_parts(group).values()), *_parts(group).values()))]
        for name, group in found.items()
    ]
