"""Forty edits of a small project under several runners: what is run again although nothing changed, and what is not."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clone import DVC
from harness import install, table
from invalidation_edits import EDITS, FILES
from notes.files import UserError
from runners import PROVENN, RIVALS, seconds

STAGES = {  # stage: what it declares to read, and what it writes; its script is <stage>.py
    "clean": (("data.csv",), "clean.csv", ()),
    "fit": (("clean.csv",), "model.json", ("degree", "scale")),
    "score": (("clean.csv", "model.json"), "score.json", ("digits",)),
}
RAN = "ran.txt"  # each script appends its name


@dataclass(frozen=True)
class Judged:
    """What a runner made of an edit: outputs that are not those of a run from nothing, and stages run for nothing."""

    stale: list[str]
    needless: list[str]


def measure(quick: bool) -> dict[str, Any]:
    """Return, by runner and edit, what was left stale and what was run for nothing; `quick` takes each fifth edit."""
    edits = EDITS[:: 5 if quick else 1]
    with tempfile.TemporaryDirectory(prefix="provenn-bench-") as folder:
        base = Path(folder)
        rivals = install(base / "rivals", RIVALS)
        runners: dict[str, tuple[Callable[[Path], None], Sequence[str | Path]]] = {
            "dvc": (write_dvc, [*DVC, "repro"]),
            "provenn": (write_provenn, [*PROVENN, "repro"]),
            "Snakemake": (write_snakemake, [rivals / "snakemake", "--cores", "1", "--quiet", "all"]),
            "doit": (write_doit, [rivals / "doit"]),
            "Kedro": (write_kedro, [rivals / "python", "run.py"]),
        }
        result: dict[str, Any] = {}
        for name, (write, command) in runners.items():
            original = base / name
            write_project(original)
            write(original)
            seconds(command, original)
            result[name] = {}
            for number, (edit, change) in enumerate(edits):
                place = base / f"{name}-{number}"
                shutil.copytree(original, place, symlinks=True)
                judged = judge(place, change, command)
                result[name][edit] = vars(judged)
                shutil.rmtree(place)
            print(f"  {name}: {summary(result[name])}", flush=True)
    return result


def write_project(place: Path) -> None:
    """Write scripts, data and parameters."""
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)


def judge(place: Path, change: Callable[[Path], None], command: Sequence[str | Path]) -> Judged:
    """Make an edit, let the runner bring the project up to date, and compare that with a run from nothing."""
    change(place)
    with tempfile.TemporaryDirectory() as scratch:
        anew = Path(scratch, "anew")
        shutil.copytree(place, anew, ignore=shutil.ignore_patterns(".*", *(out for _, out, _ in STAGES.values())))
        for stage in STAGES:
            subprocess.run([sys.executable, f"{stage}.py"], cwd=anew, check=True)
        truth = {stage: (anew / out).read_bytes() for stage, (_, out, _) in STAGES.items()}
    outputs = {stage: place / out for stage, (_, out, _) in STAGES.items()}
    needed = {stage for stage, path in outputs.items() if not path.is_file() or path.read_bytes() != truth[stage]}
    (place / RAN).write_text("")
    seconds(command, place)
    ran = set((place / RAN).read_text().split())
    stale = [stage for stage, path in outputs.items() if not path.is_file() or path.read_bytes() != truth[stage]]
    return Judged(stale, sorted(ran - needed))


def commit(place: Path) -> None:
    """Make a repository of git and DVC, and commit everything."""
    (place / ".gitignore").write_text(f"{RAN}\n__pycache__/\n")
    for command in (["git", "init", "--quiet"], [*DVC, "init", "--quiet"], ["git", "add", "."]):
        seconds(command, place)
    seconds(["git", "-c", "user.name=b", "-c", "user.email=b@example.org", "commit", "--quiet", "-m", "start"], place)


def write_dvc(place: Path) -> None:
    """Declare to DVC what a stage reads, its script among that."""
    stages = {
        stage: {
            "cmd": f"python {stage}.py",
            "deps": [f"{stage}.py", *reads],
            "params": [{"params.json": list(params)}] if params else [],
            "outs": [writes],
        }
        for stage, (reads, writes, params) in STAGES.items()
    }
    (place / "dvc.yaml").write_text(json.dumps({"stages": stages}, indent=1))  # JSON is YAML
    commit(place)


def write_provenn(place: Path) -> None:
    """Declare the same to DVC, and let `provenn deps --write` add what the scripts import."""
    write_dvc(place)
    seconds([*PROVENN, "deps", "--write"], place)


def write_snakemake(place: Path) -> None:
    """Write a Snakefile, the parameters as those of rules."""
    rules = "".join(
        f'rule {stage}:\n    input: {json.dumps([f"{stage}.py", *reads])[1:-1]}\n    output: "{writes}"\n'
        + (f"    params: {', '.join(f'{name}=config[{name!r}]' for name in params)}\n" if params else "")
        + f'    shell: "python {stage}.py"\n'
        for stage, (reads, writes, params) in STAGES.items()
    )
    outputs = ", ".join(f'"{writes}"' for _, writes, _ in STAGES.values())
    (place / "Snakefile").write_text(f'configfile: "params.json"\nrule all:\n    input: {outputs}\n{rules}')


def write_doit(place: Path) -> None:
    """Write a dodo.py, the parameters through `config_changed`."""
    (place / "dodo.py").write_text(f"""\
import json
from doit.tools import config_changed

PARAMS = json.load(open("params.json"))


def task_stage():
    for name, (reads, writes, params) in {STAGES!r}.items():
        yield dict(
            name=name,
            actions=[f"python {{name}}.py"],
            file_dep=[f"{{name}}.py", *reads],
            targets=[writes],
            uptodate=[config_changed({{key: PARAMS[key] for key in params}})],
        )
""")


def write_kedro(place: Path) -> None:
    """Write a script that runs Kedro's pipeline; a node runs a stage's script."""
    (place / "run.py").write_text(f"""\
import subprocess
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner

STAGES = {STAGES!r}


def make(name):
    def run(*_):
        subprocess.run(["python", f"{{name}}.py"], check=True)
        return name
    return run


nodes = [node(make(name), [*reads], writes, name=name) for name, (reads, writes, _) in STAGES.items()]
SequentialRunner().run(Pipeline(nodes), DataCatalog({{"data.csv": MemoryDataset("data.csv")}}))
""")


def summary(judged: Mapping[str, Mapping[str, Sequence[str]]]) -> tuple[int, int]:
    """Return the number of edits after which something was stale, and of stages that were run for nothing."""
    return sum(bool(one["stale"]) for one in judged.values()), sum(len(one["needless"]) for one in judged.values())


def report(result: Mapping[str, Any]) -> str:
    """Return the section of docs/performance.md."""
    if not result:
        raise UserError("no runner was measured")
    rows = [[name, *map(str, summary(judged))] for name, judged in result.items()]
    missed = [
        f"- {name}: {', '.join(edit for edit, one in judged.items() if one['stale'])}"
        for name, judged in result.items()
        if any(one["stale"] for one in judged.values())
    ]
    edits = len(next(iter(result.values())))
    return f"""\
A project of three stages, {edits} edits of it one by one: of comments, code, imported modules, parameters, data and
outputs, which `benchmarks/invalidation_edits.py` lists. After each the runner brings the project up to date, and its
outputs are compared with those of a run from nothing. *Stale* is an edit after which an output was another than that;
*for nothing* a stage that ran although its output was there and right. Each runner was told of scripts, files and
parameters; for Provenn `provenn deps --write` added what the scripts import, which is what it is for.

{table(["runner", "stale, edits", "run for nothing, stages"], rows)}

What left something stale:

{chr(10).join(missed) if missed else "- nothing"}
"""
