"""Stages that do nothing under several runners: what a runner itself costs, cold, with nothing to do, changed."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from clone import DVC
from harness import Measurement, figures, install, interleaved, spread, summarise, table
from notes.files import UserError

PROVENN = [sys.executable, "-P", "-m", "provenn"]
RIVALS = ("snakemake==9.27.1", "doit==0.37.0", "kedro==1.7.0")
CHAIN = 5  # stages in a row, each copying what the one before has written; chains do not depend on each other
JOBS = 2
KEDRO = """\
from pathlib import Path
from kedro.io import AbstractDataset, DataCatalog
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner

class Text(AbstractDataset):
    def __init__(self, path):
        self.path = Path(path)
    def load(self):
        return self.path.read_text()
    def save(self, text):
        self.path.write_text(text)
    def _describe(self):
        return {"path": str(self.path)}

def copy(text):
    return text

pairs = PAIRS
nodes = [node(copy, source, target, name=target) for source, target in pairs]
SequentialRunner().run(Pipeline(nodes), DataCatalog({name: Text(name) for pair in pairs for name in pair}))
"""


def measure(quick: bool) -> dict[str, Any]:
    """Return the measurements for 53 stages and, unless it is `quick`, for 500."""
    with tempfile.TemporaryDirectory(prefix="provenn-bench-") as folder:
        rivals = install(Path(folder) / "rivals", RIVALS)
        return {
            str(count): of_size(count, Path(folder) / str(count), rivals, 3) for count in ([53] if quick else [53, 500])
        }


def of_size(count: int, folder: Path, rivals: Path, rounds: int) -> dict[str, dict[str, Measurement]]:
    """Return the seconds of each runner for so many stages: cold once, then in turn with no change and with one."""
    runners: dict[str, tuple[Callable[[Path, int], None], Sequence[str | Path]]] = {
        "dvc": (write_dvc, [*DVC, "repro"]),
        "provenn": (write_dvc, [*PROVENN, "repro", "--jobs", str(JOBS)]),
        "Snakemake": (write_snakemake, [rivals / "snakemake", "--cores", str(JOBS), "--quiet", "all"]),
        "doit": (write_doit, [rivals / "doit", "-n", str(JOBS)]),
        "Kedro": (write_kedro, [rivals / "python", "run.py"]),
    }
    cold: dict[str, Measurement] = {}
    for name, (write, command) in runners.items():
        place = folder / name
        write_sources(place, count)
        write(place, count)
        cold[name] = summarise([seconds(command, place)])
        require_results(place, count, "0")
    turns = [0]

    def changed(name: str, command: Sequence[str | Path]) -> float:
        turns[0] += 1
        (folder / name / "source_0.txt").write_text(str(turns[0]))
        spent = seconds(command, folder / name)
        require_results(folder / name, CHAIN, str(turns[0]))
        return spent

    nothing = interleaved({name: partial(seconds, it[1], folder / name) for name, it in runners.items()}, rounds)
    change = interleaved({name: partial(changed, name, it[1]) for name, it in runners.items()}, rounds)
    return {"cold": cold, "nothing": nothing, "change": change}


def pairs(count: int) -> list[tuple[str, str]]:
    """Return source and target of each stage."""
    return [
        (f"source_{index // CHAIN}.txt" if index % CHAIN == 0 else f"out_{index - 1}.txt", f"out_{index}.txt")
        for index in range(count)
    ]


def write_sources(place: Path, count: int) -> None:
    """Make a folder with the source of each chain."""
    place.mkdir(parents=True)
    for chain in range(-(-count // CHAIN)):
        (place / f"source_{chain}.txt").write_text("0")


def write_dvc(place: Path, count: int, command: str = "cp") -> None:
    """Make a repository of git and DVC."""
    stages = "".join(
        f"  s{index}:\n    cmd: {command} {source} {target}\n    deps: [{source}]\n    outs: [{target}]\n"
        for index, (source, target) in enumerate(pairs(count))
    )
    (place / "dvc.yaml").write_text(f"stages:\n{stages}")
    for first in (["git", "init", "--quiet"], [*DVC, "init", "--quiet"], ["git", "add", "."]):
        seconds(first, place)
    seconds(["git", "-c", "user.name=b", "-c", "user.email=b@example.org", "commit", "--quiet", "-m", "stages"], place)


def write_snakemake(place: Path, count: int) -> None:
    """Write a Snakefile."""
    targets = ", ".join(repr(target) for _, target in pairs(count))
    rules = "".join(
        f'rule s{index}:\n    input: "{source}"\n    output: "{target}"\n    shell: "cp {{input}} {{output}}"\n'
        for index, (source, target) in enumerate(pairs(count))
    )
    (place / "Snakefile").write_text(f"rule all:\n    input: {targets}\n{rules}")


def write_doit(place: Path, count: int) -> None:
    """Write a dodo.py."""
    (place / "dodo.py").write_text(
        f"def task_stage():\n    for source, target in {pairs(count)!r}:\n"
        "        yield dict(name=target, actions=[f'cp {source} {target}'], file_dep=[source], targets=[target])\n"
    )


def write_kedro(place: Path, count: int) -> None:
    """Write a script that runs Kedro's pipeline, whose nodes are functions of one process."""
    (place / "run.py").write_text(KEDRO.replace("PAIRS", repr(pairs(count))))


def seconds(command: Sequence[str | Path], place: Path) -> float:
    """Return the wall time of a command; raise UserError with its output when it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "DVC_", "GIT_"))}
    quiet = {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "KEDRO_DISABLE_TELEMETRY": "1"}
    quiet["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    began = time.monotonic()
    done = subprocess.run(command, cwd=place, env=kept | quiet, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{' '.join(map(str, command))} failed in {place.name}: {(done.stdout + done.stderr)[-500:]}")
    return time.monotonic() - began


def require_results(place: Path, count: int, text: str) -> None:
    """Raise UserError unless the first stages have copied the text: a runner that skips them would look fast."""
    wrong = [target for _, target in pairs(count) if (place / target).read_text() != text]
    if wrong:
        raise UserError(f"{place.name} did not bring {wrong[0]} up to date.")


def report(result: Mapping[str, Any]) -> str:
    """Return the section of docs/performance.md."""
    parts = []
    for count, measured in result.items():
        rows = [
            [
                name,
                figures(measured["cold"][name]["median"]),
                spread(measured["nothing"][name]),
                spread(measured["change"][name]),
            ]
            for name in measured["cold"]
        ]
        header = [f"{count} stages: seconds", "cold", "nothing to do", "one source changed"]
        parts.append(table(header, rows))
    return f"""\
Stages that copy one small file, in chains of {CHAIN}, so that nearly all of the time is the runner's own. `dvc repro`
and Kedro run one at a time, the others {JOBS}. A changed source makes one chain stale. Not all do the same: DVC and
Provenn hash contents and cache outputs, Provenn also shows a run for each stage in MLflow, Snakemake and doit compare
times or digests and cache nothing, Kedro calls functions in one process and always runs all of them.

{(chr(10) * 2).join(parts)}
"""
