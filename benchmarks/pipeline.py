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
from notes.figures.canvas import BLUE, GREY
from provenn.repro.runner import available_cores

PROVENN = [*PYTHON, "-m", "provenn"]
QUICK = ["export_model@moons"]  # with all that it needs


def measure(quick: bool) -> dict[str, Any]:
    """Return the measurements; `quick` takes one task instead of all. MNIST comes from data/raw where that is there."""
    targets, rounds = (QUICK, 2) if quick else ([], 5)
    with tempfile.TemporaryDirectory(prefix="provenn-bench-") as folder:
        serial, parallel = (Clone(Path(folder) / name) for name in ("serial", "parallel"))
        cold = serial.traced([*DVC, "repro", *targets])
        jobs = available_cores()
        cold |= {"jobs": jobs, "parallel": parallel.run([*PROVENN, "repro", "--jobs", str(jobs), *targets])}
        made, beside = serial.contents(), parallel.contents()
        cold["different"] = sorted(path for path in made | beside if made.get(path) != beside.get(path))
        nothing = {
            "dvc status": partial(serial.run, [*DVC, "status", *targets, *["--with-deps"] * quick]),
            "dvc repro": partial(serial.run, [*DVC, "repro", *targets]),
        }
        tracked = {
            "with": partial(serial.run_stage, tracked=True),
            "without": partial(serial.run_stage, tracked=False),
        }
        return {
            "cold": cold,
            "nothing": interleaved(nothing, rounds),
            "change": summarise([serial.change(targets, turn) for turn in range(rounds)]),
            "tracking": interleaved(tracked, rounds),
        }


def report(result: Mapping[str, Any]) -> str:
    """Return the section of docs/performance.md."""
    cold, tracked = result["cold"], result["tracking"]
    parts, groups = _shares(cold), _groups(cold["stages"])
    overhead = [a - b for a, b in zip(tracked["with"]["values"], tracked["without"]["values"], strict=True)]
    goals = [
        target("cold `dvc repro` / its work", summarise([cold["serial"] / parts["work"]]), at_most=1.6),
        target("`dvc repro` with nothing to do / `dvc status`",
               ratio(result["nothing"]["dvc repro"], result["nothing"]["dvc status"]), at_most=1.5),
        target("one parameter of an MLP changed: seconds of `dvc repro` above the fit", result["change"], at_most=8),
        target("seconds of a training stage with MLflow above those without", summarise(overhead), at_most=2.5),
    ]  # fmt: skip
    shares = [[name, figures(s), f"{100 * s / cold['serial']:.0f} %"] for name, s in parts.items()]
    same = "the same, byte for byte" if not cold["different"] else f"different: {', '.join(cold['different'])}"
    cpu = {"all": cold["serial_cpu"], "work": sum(stage["cpu"]["work"] for stage in cold["stages"])}
    return f"""\
{targets_table(goals)}

Work is what is left of a stage's time without starting Python, importing packages and waiting for MLflow: computing,
drawing, reading and writing files. In CPU seconds, all processes together, the cold run took {figures(cpu["all"])} and
its work {figures(cpu["work"])}. `provenn repro --jobs {cold["jobs"]}` took {figures(cold["parallel"])} s,
{figures(cold["parallel"] / cold["serial"])} of the time of `dvc repro`; the results are {same}.
The changed parameter is the learning rate of `moons_mlp`, on which the evaluation, its pictures and the export depend:
a process each, with its imports, and DVC's reading and writing of the lock.

Where a cold `dvc repro` of {len(cold["stages"])} stages spends its {figures(cold["serial"])} s:

{table(["", "seconds", "share"], shares)}

The seconds of the stages, by the script that they run:

{table(["stage", "times", "all", "start", "imports", "tracking", "work"], groups)}
"""


def draw(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw what a cold `dvc repro` spends its time on, as bars."""
    parts = _shares(result["cold"])
    axes.barh(list(parts), list(parts.values()), color=[*[GREY] * (len(parts) - 1), BLUE])
    for place, seconds in enumerate(parts.values()):
        axes.text(seconds, place, f" {seconds:.0f}", va="center")
    axes.set_xlim(0, 1.15 * max(parts.values()))
    axes.grid(visible=False, axis="y")
    axes.set(title="A cold pipeline", xlabel="seconds")


def _shares(cold: Mapping[str, Any]) -> dict[str, float]:
    """Return the seconds of a cold `dvc repro` by what they went to, the work last."""
    parts = _parts(cold["stages"])
    return {"DVC": cold["serial"] - sum(parts.values())} | parts


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
