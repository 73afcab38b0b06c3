"""DVC repositories for tests: small ones of any shape, made by the real DVC, and clones of this one."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from dvc.cli import main as dvc  # here, so that its log goes to the output that all tests share
from filelock import FileLock
from ruamel.yaml import YAML

from provenn.view.records import wait_for_writers
from provenn.view.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from provenn.view.sync import SyncReport

PROJECT = Path(__file__).parents[1]
PROGRAMS = {"dvc": [sys.executable, "-m", "dvc"], "provenn": [sys.executable, "-m", "provenn"]}
IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.org")


@dataclass
class Repository:
    """A DVC repository at `root`, and the environment of what runs in it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, root: Path, *, git: bool = True, folder: str = ".") -> "Repository":
        """Make an empty one: in git's root, in a `folder` below it, or without git at all."""
        root.mkdir(parents=True)
        repository = cls(root)
        if git:
            repository.run("git", "init", "--quiet", "--initial-branch=main")
        repository.root = root / folder
        repository.root.mkdir(parents=True, exist_ok=True)
        repository.dvc("init", "--quiet", *([] if git else ["--no-scm"]), *(["--subdir"] if folder != "." else []))
        return repository

    @classmethod
    def clone_of_project(cls, root: Path) -> "Repository":
        """Make a copy of this project's work tree with its own git history, cache and store, without results."""
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        files = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines()
        for file in files:
            left = Path(file).name == "dvc.lock" or {"results", "tests"} & set(Path(file).parts)
            if (PROJECT / file).is_symlink() or ((PROJECT / file).is_file() and not left):
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT / file, root / file, follow_symlinks=False)
        repository = cls(root)
        repository.run("git", "init", "--quiet")
        repository.commit("The code")
        return repository

    def copy(self, root: Path) -> "Repository":
        """Return a copy of it in another folder."""
        shutil.copytree(self.root, root, symlinks=True)
        return Repository(root, dict(self.environment))

    def write(self, path: str, content: str | Mapping[str, Any]) -> Path:
        """Write a file, a mapping as JSON, which YAML is a superset of."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        return file

    def define(self, stages: Mapping[str, Any], **top: Any) -> None:
        """Write dvc.yaml: its stages, and what else stands at its top."""
        self.write("dvc.yaml", {"stages": stages, **top})

    def change_params(self, change: Callable[[Any], None]) -> None:
        """Change params.yaml in place."""
        yaml, file = YAML(), self.root / "params.yaml"
        values = yaml.load(file)
        change(values)
        yaml.dump(values, file)

    def start(self, *command: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a command in it; `dvc` and `provenn` are those of this environment."""
        return subprocess.Popen(
            [*PROGRAMS.get(command[0], command[:1]), *command[1:]],
            cwd=self.root,
            env=self._environment() | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A test run in the background of a shell ignores Ctrl-C, and so would all that it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *command: str, code: int | None = 0, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end; fail the test unless it exits with `code`."""
        process = self.start(*command, **variables)
        out, err = process.communicate(timeout=600)
        assert code is None or process.returncode == code, f"{command}: {process.returncode}\n{out}{err}"
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def dvc(self, *arguments: str, code: int | None = 0, **variables: str) -> str:
        """Run DVC; return everything it printed."""
        finished = self.run("dvc", *arguments, code=code, **variables)
        return finished.stdout + finished.stderr

    def dvc_here(self, *arguments: str, folder: str = ".") -> str:
        """Run DVC in this process, in a folder of the repository, which saves the second that a new one takes."""
        said = io.StringIO()
        environment = mock.patch.dict(os.environ, self._environment(), clear=True)
        place, output = contextlib.chdir(self.root / folder), contextlib.redirect_stdout(said)
        with environment, place, output, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = dvc(list(arguments))
        assert code == 0, f"dvc {arguments}: {code}\n{said.getvalue()}"
        return said.getvalue()

    def show(self) -> "SyncReport":
        """Run the whole pipeline with DVC, then make it visible."""
        from provenn.view.sync import synchronise

        self.dvc_here("repro", "--all-pipelines")
        return synchronise(self.root)

    def provenn(self, *arguments: str, code: int | None = 0, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run the `provenn` command."""
        return self.run("provenn", *arguments, code=code, **variables)

    def git(self, *arguments: str) -> str:
        """Run git; return what it printed."""
        return self.run("git", *IDENTITY, *arguments).stdout.strip()

    def commit(self, message: str = "Change") -> str:
        """Commit everything; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def client(self, uri: str | None = None) -> "MlflowClient":
        """Return a client of its embedded store, or of another."""
        return connect(self.root, uri or f"sqlite:///{self.root}/mlruns/mlflow.db")

    def runs(self, uri: str | None = None) -> "list[Run]":
        """Return all runs of stages, the newest first, once those of stages that have ended are written."""
        wait_for_writers(self.root)
        client = self.client(uri)
        experiments = [found.experiment_id for found in client.search_experiments()]
        return [run for run in client.search_runs(experiments, max_results=1000) if "dvc.stage" in run.data.tags]

    def run_of(self, stage: str) -> "Run":
        """Return the one finished run of a stage."""
        (run,) = (run for run in self.runs() if run.data.tags["dvc.stage"] == stage and run.info.status == "FINISHED")
        return run

    def artifacts(self, run: "Run", folder: str | None = None) -> set[str]:
        """Return the files of a run."""
        found: set[str] = set()
        for file in self.client().list_artifacts(run.info.run_id, folder):
            found |= self.artifacts(run, file.path) if file.is_dir else {file.path}
        return found

    def _environment(self) -> dict[str, str]:
        foreign = ("GIT_", "DVC_", "MLFLOW_", "PROVENN_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        own = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(self.root / "src"), str(PROJECT / "src")]),
            "SHELL": "/bin/sh",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.root.parent / f"{self.root.name}-site"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "COLUMNS": "200",
        }
        return inherited | own | self.environment


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that one of the test processes makes and all of them read."""
    shared = factory.getbasetemp()
    shared = shared.parent if os.environ.get("PYTEST_XDIST_WORKER") else shared
    with FileLock(shared / f"{name}.lock"):
        if not (shared / f"{name}.ready").exists():
            make(shared / name)
            (shared / f"{name}.ready").touch()
    return shared / name
