"""A DVC repository with stages that sleep and write a line, and note when they start and stop."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenn.pipeline.processes import Outcome, StageProcess

ROOT = Path(__file__).parents[2]
PROVENN = [sys.executable, "-c", "from provenn.cli import main; main()"]

WORK = """
import os, pathlib, sys, time
name, seconds, *paths = sys.argv[1:]
notes = pathlib.Path(os.environ["NOTES"])
def note(what):
    with notes.open("a") as file:
        file.write(f"{what} {name} {time.monotonic()} {os.getpid()} {os.environ.get('PROVENN_PARENT_RUN_ID', '-')}\\n")
note("start")
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    print("at work", name, flush=True)
    time.sleep(0.05)
for path in paths:
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_text(f"{path} of {name}\\n")
note("stop")
"""


def stage(name: str, seconds: float = 0, needs: tuple[str, ...] = (), outs: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a stage of dvc.yaml that sleeps, then writes `outs`, `<name>.txt` by default."""
    outs = outs or (f"{name}.txt",)
    command = f"python work.py {name} {seconds} {' '.join(outs)}"
    return {"cmd": command, "deps": ["work.py", *needs], "outs": list(outs)}


class Watcher:
    """A view that keeps what it was told."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.notes: list[str] = []

    def started(self, process: StageProcess) -> None: ...

    def finished(self, name: str, outcome: Outcome, seconds: float) -> None:
        self.outcomes[name] = outcome

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class SleepingRepository:
    """The repository's folder, and the file in which its stages note what they do."""

    root: Path
    notes: Path
    environment: dict[str, str] = field(default_factory=dict)

    def define(self, stages: dict[str, Any]) -> None:
        (self.root / "dvc.yaml").write_text(json.dumps({"stages": stages}))

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in the repository; `provenn` and `dvc` are the ones of this environment."""
        program = {"provenn": PROVENN, "dvc": [sys.executable, "-m", "dvc"]}[arguments[0]]
        return subprocess.Popen(
            [*program, *arguments[1:]],
            cwd=self.root,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A test run in the background of a shell ignores Ctrl-C, and so would all that it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.command(*arguments)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def noted(self) -> list[tuple[str, str, float, int, str]]:
        """Return (start or stop, stage, time, process, parent run) as they were noted."""
        if not self.notes.exists():
            return []
        lines = (line.split() for line in self.notes.read_text().splitlines())
        return [(what, name, float(at), int(process), parent) for what, name, at, process, parent in lines]

    def spans(self) -> dict[str, tuple[float, float]]:
        """Return when each stage started and stopped."""
        times = {(what, name): at for what, name, at, *_ in self.noted()}
        return {name: (times["start", name], times["stop", name]) for what, name in times if what == "stop"}

    def wait_for_start(self, *names: str) -> dict[str, int]:
        """Wait until the stages run; return their processes."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            started = {name: process for what, name, _, process, _ in self.noted() if what == "start"}
            if set(names) <= set(started):
                return started
            time.sleep(0.02)
        raise AssertionError(f"{names} did not start")


def make(root: Path) -> SleepingRepository:
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    (root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    # As in a real repository; else DVC adds each output in the order in which the stages finish.
    (root / ".gitignore").write_text("*.txt\n")
    shutil.copy(ROOT / "params.yaml", root)
    (root / "work.py").write_text(WORK)
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    notes = root.parent / f"{root.name}.notes"
    environment = {
        "NOTES": str(notes),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "DVC_SITE_CACHE_DIR": str(root.parent / "site_cache"),
        "DVC_NO_ANALYTICS": "1",
        # Refused at once, before MLflow is imported; the test of the pipeline's run uses a store that works.
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "COLUMNS": "200",
    }
    return SleepingRepository(root, notes, environment)
