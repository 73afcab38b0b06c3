"""Where the pipeline's time goes that is not work: a cold one stage by stage, one with nothing to do, one change."""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness import ROOT, figures, interleaved, ratio, summarise, table, target, targets_table
from matplotlib.axes import Axes
from ruamel.yaml import YAML

from provenn.figures.canvas import BLUE, GREY
from provenn.pipeline.runner import available_cores

PYTHON = [sys.executable, "-P"]
DVC = [*PYTHON, "-m", "dvc"]
PROVENN = [*PYTHON, "-c", "from provenn.cli import main; main()"]
STAGE = "train_mlp@moons_mlp"
QUICK = ["export_model@moons"]  # with all that it needs
COMPARED = ("dvc.lock", "data", "models", "results")
# As tracking is when its server is away, but without the warning: everything of MLflow's is left out, nothing else.
WITHOUT_MLFLOW = """
import runpy, sys
from provenn.tracking.recorder import Recorder
Recorder._attempt = lambda self, action: None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


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
            "with": partial(serial.run_stage, []),
            "without": partial(serial.run_stage, ["-c", WITHOUT_MLFLOW]),
        }
        return {
            "cold": cold,
            "nothing": interleaved(nothing, rounds),
            "change": summarise([serial.change(targets, turn) for turn in range(rounds)]),
            "tracking": interleaved(tracked, rounds),
        }


class Clone:
    """A clone of the last commit with an empty DVC cache and an MLflow store of its own, as `make setup` leaves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        raw = Path(os.environ.get("PROVENN_MNIST", ROOT / "data" / "raw"))
        if raw.is_dir():
            parameters = folder / "params.yaml"
            text = re.sub(r"(?m)^  directory: null", f"  directory: {raw}", parameters.read_text(encoding="utf-8"))
            parameters.write_text(text, encoding="utf-8")
        self.run([*PYTHON, "-c", "from provenn.tracking.store import connect; connect()"])

    def run(self, command: Sequence[str], first_on_path: Path | None = None, **variables: str) -> float:
        """Return the seconds that a command takes; a failure ends the benchmark with its output."""
        places = [*([first_on_path] if first_on_path else []), Path(sys.executable).parent, os.environ["PATH"]]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_TRACKING", "DVC_"))}
        environment = kept | variables | {
            "PATH": os.pathsep.join(map(str, places)),
            "PYTHONPATH": str(self.folder / "src"),
            "DVC_SITE_CACHE_DIR": str(self.folder / ".dvc" / "tmp" / "site_cache"),
            "DVC_NO_ANALYTICS": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        log = self.folder.parent / f"{self.folder.name}.log"
        began = time.monotonic()
        with log.open("wb") as output:
            finished = subprocess.run(command, cwd=self.folder, env=environment, stdout=output, stderr=output)
        if finished.returncode:
            sys.exit(f"{log.read_text()[-4000:]}\n{' '.join(command)} failed with {finished.returncode}.")
        return time.monotonic() - began

    def traced(self, command: Sequence[str]) -> dict[str, Any]:
        """Run a command whose stages note where their time goes: return its seconds, CPU seconds and the stages'."""
        programs, trace = self.folder.parent / "programs", self.folder.parent / "trace"
        programs.mkdir()
        # What a stage calls `python`. The shell becomes the process that it starts, and that process the stage.
        python = programs / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("trace_stage.py")}" "$@"\n')
        python.chmod(0o755)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = self.run(command, programs, PROVENN_TRACE=str(trace))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        stages = [json.loads(line) for line in trace.read_text().splitlines()]
        return {"serial": seconds, "serial_cpu": cpu, "stages": stages}

    def run_stage(self, options: Sequence[str]) -> float:
        """Return the seconds of the training's process alone, as DVC starts it."""
        script, item = STAGE.split("@")
        return self.run([sys.executable, *options, f"stages/{script}.py", item])

    def change(self, targets: Sequence[str], turn: int) -> float:
        """Change the training's learning rate; return what `dvc repro` takes above the seconds of the fit itself."""
        yaml, file = YAML(), self.folder / "params.yaml"
        values = yaml.load(file)
        values["train_mlp"]["moons_mlp"]["learning_rate"] = round(0.011 + turn / 1000, 3)
        yaml.dump(values, file)
        seconds = self.run([*DVC, "repro", *targets])
        newest = max((self.folder / ".dvc/tmp/provenn/records").glob("*.json"), key=_fitted)
        return seconds - float(json.loads(newest.read_bytes())["metrics"]["time/fit_s"])

    def contents(self) -> dict[str, bytes]:
        """Return the files that the pipeline makes."""
        places = [self.folder / name for name in COMPARED]
        paths = (path for place in places for path in [place, *place.rglob("*")] if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}


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
its work {figures(cpu["work"])}. `provenn repro --jobs {cold["jobs"]}` took {figures(cold["parallel"] / cold["serial"])}
of the time of `dvc repro`; the results are {same}. The changed parameter is the learning rate of `moons_mlp`, on which
its evaluation and export depend.

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


def _fitted(record: Path) -> int:
    found = json.loads(record.read_bytes())
    return int(found["ended"]) if "time/fit_s" in found["metrics"] and found["stage"] == STAGE else 0
