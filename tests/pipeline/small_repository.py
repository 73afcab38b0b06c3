"""A clone of this repository with little to compute, in which the pipeline of one task has run."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
TARGET = "export_model@linear"
STAGES = {
    "check_params",
    "generate_synthetic",
    "train_regression@linear-scratch",
    "train_regression@linear-module",
    "train_baseline@linear_least_squares",
    "train_baseline@linear_dummy",
    "evaluate@linear",
    "export_model@linear",
}


@dataclass
class SmallRepository:
    """The clone at `root`."""

    root: Path

    @property
    def store(self) -> str:
        """The URI of its embedded store."""
        return f"sqlite:///{self.root}/mlruns/mlflow.db"

    def run(self, *command: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        """Run a command in it to its end; fail the test unless it exits with `code`."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_ROOT"))}
        environment |= {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.root / "src"),
            "DVC_SITE_CACHE_DIR": str(self.root / ".dvc" / "tmp" / "site_cache"),
        }
        finished = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=300)
        assert finished.returncode == code, finished.stdout + finished.stderr
        assert "tracking is behind" not in finished.stderr
        return finished

    def dvc(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run DVC."""
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def provenn(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        """Run the `provenn` command."""
        return self.run(sys.executable, "-c", "from provenn.cli import main; main()", *arguments, code=code)

    def git(self, *arguments: str) -> str:
        """Run git."""
        identity = ("-c", "user.email=small@example.org", "-c", "user.name=Small")
        return self.run("git", *identity, *arguments).stdout

    def commit(self, message: str) -> str:
        """Commit everything; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def set_parameter(self, value: float, *path: str) -> None:
        """Change one number of params.yaml."""
        yaml, file = YAML(), self.root / "params.yaml"
        params = yaml.load(file)
        section = params
        for name in path[:-1]:
            section = section[name]
        section[path[-1]] = value
        yaml.dump(params, file)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> SmallRepository:
    """The repository after `dvc repro` of one task and `provenn sync`. For reading only; made once a test session."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if os.environ.get("PYTEST_XDIST_WORKER") else shared
    small = SmallRepository(shared / "small_repository")
    with FileLock(shared / "small_repository.lock"):
        if not (shared / "small_repository.ready").exists():
            _make(small)
            (shared / "small_repository.ready").touch()
    return small


@pytest.fixture
def repository(finished: SmallRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallRepository:
    """A copy of it with files, cache and records but without an MLflow store, as the working folder."""
    root = tmp_path / "repository"
    shutil.copytree(finished.root, root, ignore=shutil.ignore_patterns("mlruns"), symlinks=True)
    monkeypatch.chdir(root)
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(root / ".dvc" / "tmp" / "site_cache"))
    return SmallRepository(root)


def _make(small: SmallRepository) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    for name in listed.stdout.split("\0"):
        # The committed results are of the full pipeline.
        if (
            name
            and Path(name).name != "dvc.lock"
            and not {"results", "tests"} & set(Path(name).parts)
            and (ROOT / name).is_file()
        ):
            (small.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, small.root / name)
    yaml, file = YAML(), small.root / "params.yaml"
    params = yaml.load(file)
    for implementation in ("scratch", "module"):
        params["train_regression"]["linear"][implementation]["max_iterations"] = 20
    params["evaluate"]["bootstrap_resamples"] = 100
    yaml.dump(params, file)
    small.git("init", "--quiet")
    small.commit("The code, and parameters for a test")
    small.dvc("repro", TARGET)
    small.commit("The results")
    small.provenn("sync")
