"""A clone of this repository to run the real pipeline in, on a shrunk profile."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]


class Clone:
    """A copy of the work tree with its own git history, DVC cache, MLflow store and parameters."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = self._output("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
        for file in files:
            if (ROOT / file).is_file() and Path(file).name != "dvc.lock" and "results" not in Path(file).parts:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, folder / file)
        self.run("git", "init", "--quiet")
        self.commit("start")

    def run(self, *command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone and return what it printed; fail with its output unless it succeeds."""
        finished = subprocess.run(
            command, cwd=self.folder, env=self._environment() | variables, capture_output=True, text=True, check=False
        )
        assert not check or finished.returncode == 0, finished.stdout + finished.stderr
        return finished

    def dvc(self, *arguments: str, check: bool = True, **variables: str) -> str:
        """Run DVC and return everything it printed."""
        finished = self.run(sys.executable, "-m", "dvc", *arguments, check=check, **variables)
        return finished.stdout + finished.stderr

    def change_params(self, change: Callable[[dict], None]) -> None:
        """Change the parameters in place."""
        yaml = YAML()
        values = yaml.load((self.folder / "params.yaml").read_text())
        change(values)
        with (self.folder / "params.yaml").open("w") as file:
            yaml.dump(values, file)

    def commit(self, message: str) -> None:
        """Commit everything."""
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        self.run("git", "add", "--all")
        self.run("git", *identity, "commit", "--quiet", "--allow-empty", "--message", message)

    def _environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {
            "PATH": path,
            "DVC_SITE_CACHE_DIR": str(self.folder.parent / f"{self.folder.name}-site"),
            "SHELL": "/bin/sh",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "DVC_"))}
        return inherited | own | {"DVC_NO_ANALYTICS": "1", "PYTHONWARNINGS": ""}

    def _output(self, *command: str, cwd: Path) -> str:
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout


def shrink(values: dict) -> None:
    """Make every stage a matter of its imports: few rows, few epochs."""
    for task in ("linear", "multivariate", "polynomial", "moons"):
        values["generate_synthetic"][task]["rows"] = 120
    for network in values["train_mlp"].values():
        network["epochs"] = 2
    values["train_mlp"]["mnist_softmax"]["batch_size"] = 5000
    values["evaluate"]["bootstrap_resamples"] = 200
