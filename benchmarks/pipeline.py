"""Where the pipeline's time goes that is not work: a cold one stage by stage, one with nothing to do, one change."""

import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from clone import DVC, PYTHON, STAGE, Clone
from harness import figures, interleaved, ratio, summarise, table, target, targets_table
from notes.figures.canvas import BLUE, GREY
from provenn.repro.work import available_cores

PROVENN = [*PYTHON, "-m", "provenn"]
REPRO = {"dvc repro": [*DVC, "repro"], "provenn repro": [*PROVENN, "repro"]}
QUICK = ["export_model@moons"]  # with all that it needs
CHAIN = (STAGE, "evaluate@moons", "export_model@moons")  # what the changed parameter leads to, one after another


def measure(quick: bool) -> dict[str, Any]:
    """Return the measurements; `quick` takes one task instead of all. MNIST comes from data/raw where that is there."""
    targets, rounds = (QUICK, 2) if quick else ([], 3)
    with tempfile.TemporaryDirectory(prefix="provenn-bench-") as folder:
        clone, parallel = (Clone(Path(folder) / name) for name in ("serial", "parallel"))
        cold = clone.traced([*PROVENN, "repro", "--jobs", "1", *targets])
        jobs = available_cores()
        cold["parallel"] = parallel.run([*PROVENN, "repro", "--jobs", str(jobs), *targets])
        made, beside = clone.contents(), parallel.contents()
        cold["different"] = sorted(path for path in made | beside if made.get(path) != beside.get(path))
        nothing = {
            "dvc status": partial(clone.run, [*DVC, "status", *targets, *["--with-deps"] * quick]),
            **{name: partial(clone.run, [*command, *targets]) for name, command in REPRO.items()},
        }
        change = {name: partial(clone.change, [*command, *targets]) for name, command in REPRO.items()}
        tracked = {
            "with": partial(clone.run_stage, tracked=True),
            "without": partial(clone.run_stage, tracked=False),
        }
        return {
            "cold": cold,
            "jobs": jobs,
            "nothing": interleaved(nothing, rounds),
            "change": interleaved(change, rounds),
            "tracking": interleaved(tracked, rounds),
        }


def report(result: Mapping[str, Any]) -> str:
    """Return the section of docs/performance.md."""
    cold, nothing, change, tracked = result["cold"], result["nothing"], result["change"], result["tracking"]
    parts = _shares(cold)
    to_status = {name: ratio(nothing[name], nothing["dvc status"]) for name in REPRO}
    overhead = [a - b for a, b in zip(tracked["with"]["values"], tracked["without"]["values"], strict=True)]
    goals = [
        target("cold `provenn repro --jobs 1` / its work", summarise([cold["seconds"] / parts["work"]]), at_most=1.5),
        *(target(f"`{name}` with nothing to do / `dvc status`", of, at_most=1.5) for name, of in to_status.items()),
        target("one parameter of an MLP changed: seconds of `dvc repro` above the fit", change["dvc repro"], at_most=8),
        target("the same of `provenn repro`", change["provenn repro"], at_most=6),
        target("seconds of a training stage with MLflow above those without", summarise(overhead), at_most=2.5),
    ]
    same = "the same, byte for byte" if not cold["different"] else f"different: {', '.join(cold['different'])}"
    shares = [[name, figures(seconds), f"{100 * seconds / cold['seconds']:.0f} %"] for name, seconds in parts.items()]
    return f"""\
{targets_table(goals)}

Work is what is left of a stage's time without starting Python, importing packages and waiting for MLflow: computing,
drawing, reading and writing files. The changed parameter is the learning rate of `moons_mlp`, on which the evaluation,
its pictures and the export depend: a process each, under `provenn repro` {result["jobs"]} at once. Training, evaluation
and export, one after another, import for {figures(_imports(cold["stages"], CHAIN))} s in the cold run.

Where a cold `provenn repro --jobs 1` of {len(cold["stages"])} stages spends its {figures(cold["seconds"])} s. *DVC* is
all of Provenn too, the end of each process, and the wait for MLflow at the end of all. With `--jobs {result["jobs"]}`
it took {figures(cold["parallel"])} s, {figures(cold["parallel"] / cold["seconds"])} of that; the results are {same}.

{table(["", "seconds", "share"], shares)}

The seconds of the stages, by the script that they run:

{table(["stage", "times", "all", "start", "imports", "tracking", "work"], _groups(cold["stages"]))}
"""


def draw(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw what a cold repro spends its time on, as bars."""
    parts = _shares(result["cold"])
    axes.barh(list(parts), list(parts.values()), color=[*[GREY] * (len(parts) - 1), BLUE])
    for place, seconds in enumerate(parts.values()):
        axes.text(seconds, place, f" {seconds:.0f}", va="center")
    axes.set_xlim(0, 1.15 * max(parts.values()))
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


def _imports(stages: Sequence[Mapping[str, Any]], names: Sequence[str]) -> float:
    return sum(_parts([stage])["imports"] for stage in stages if stage["stage"] in names)


def _groups(stages: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for stage in stages:
        found[stage["stage"].partition("@")[0]].append(stage)
    return [
        [f"`{name}`", str(len(group)), *(f"{s:.1f}" for s in (sum(_parts(group).values()), *_parts(group).values()))]
        for name, group in found.items()
    ]
