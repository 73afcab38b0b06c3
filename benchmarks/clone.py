"""A clone of this repository in which the pipeline is timed."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from harness import ROOT
from provenn.record import FOLDER
from provenn.view.records import read_record

PYTHON = [sys.executable, "-P"]
DVC = [*PYTHON, "-m", "dvc"]
STAGE = "train_mlp@moons_mlp"
OPEN_STORE = """
from pathlib import Path
from provenn.view.store import open_embedded
open_embedded(Path("mlruns/mlflow.db").resolve())
"""
COMPARED = ("dvc.lock", "data", "models", "results")


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
        self.run([*PYTHON, "-c", OPEN_STORE])

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
        """Run a command whose stages note where their time goes: return its seconds and the stages'."""
        programs, trace = (self.folder.with_name(f"{self.folder.name}-{what}") for what in ("programs", "trace"))
        programs.mkdir()
        # What a stage calls `python`. The shell becomes the process that it starts, and that process the stage.
        python = programs / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("trace_stage.py")}" "$@"\n')
        python.chmod(0o755)
        seconds = self.run(command, programs, PROVENN_TRACE=str(trace))
        stages = [json.loads(line) for line in trace.read_text().splitlines()]
        return {"seconds": seconds, "stages": stages}

    def run_stage(self, *, tracked: bool) -> float:
        """Return the seconds of the training's process alone; where DVC names no stage, `track` does nothing."""
        script, item = STAGE.split("@")
        dvc = {"DVC_STAGE": STAGE, "DVC_ROOT": str(self.folder)} if tracked else {}
        return self.run([sys.executable, f"stages/{script}.py", item], None, **dvc)

    def change(self, command: Sequence[str]) -> float:
        """Raise the training's learning rate by a tenth; return what a repro takes above the seconds of the fit."""
        yaml, file = YAML(), self.folder / "params.yaml"
        values = yaml.load(file)
        settings = values["train_mlp"]["moons_mlp"]
        settings["learning_rate"] = round(1.1 * settings["learning_rate"], 5)
        yaml.dump(values, file)
        seconds = self.run(command)
        records = map(read_record, (self.folder / FOLDER / "kept").glob("*.jsonl"))
        fits = [record for record in records if record.stage == STAGE and record.ended]
        return seconds - max(fits, key=attrgetter("ended")).values["time/fit_s"]

    def contents(self) -> dict[str, bytes]:
        """Return the files that the pipeline makes."""
        places = [self.folder / name for name in COMPARED]
        paths = (path for place in places for path in [place, *place.rglob("*")] if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}
