"""A repository with one toy stage, in which a stage process takes a second, and tracking servers that can be killed."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parents[2]
BEHIND = "tracking is behind"

# Two epochs; between them the stage waits until a file appears, if it is told to.
STAGE = """
import os, time
from pathlib import Path
from provenn.files import write_json, write_rows
from provenn.tracking.run import track
from provenn.tracking.script import run_script

def main(item: str) -> None:
    with track("toy", item) as run:
        rows = [{"epoch": epoch, "train/loss": 1 / epoch} for epoch in (1, 2)]
        run.epoch(rows[0])
        print("first epoch", flush=True)
        wait = os.environ.get("WAIT_FOR")
        while wait and not Path(wait).exists():
            time.sleep(0.05)
        begin = time.monotonic()
        run.epoch(rows[1])
        run.metrics({"time/fit_s": 1.5})
        write_rows(f"results/toy/{item}/history.csv", rows)
        write_json(f"results/toy/{item}/metrics.json", {"val/primary": 0.5})
    print(f"tracked for {time.monotonic() - begin:.2f} s", flush=True)

run_script(main)
"""
PIPELINE = """
stages:
  toy:
    matrix: {item: [a, b, c, d]}
    desc: A toy.
    cmd: python stages/toy.py ${item.item}
    deps: [stages/toy.py]
    outs: ["results/toy/${item.item}/history.csv", "results/toy/${item.item}/metrics.json"]
"""


@dataclass
class Toy:
    """The toy repository and the environment of its processes."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[str]":
        """Start a command in it."""
        # What a command of this test process has set for itself is no wish of the user.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_HTTP_")}
        everything = {**inherited, **self.environment, **environment}
        return subprocess.Popen(
            command, cwd=self.root, env=everything, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def stage(self, item: str = "a", **environment: str) -> "subprocess.Popen[str]":
        """Start the stage, as `dvc repro` does."""
        return self.start(sys.executable, "stages/toy.py", item, **environment)

    def provenn(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the `provenn` command to its end."""
        process = self.start(sys.executable, "-c", "from provenn.cli import main; main()", *arguments)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def lock(self, *items: str) -> None:
        """Record the stages' outputs in dvc.lock, as `dvc repro` does after them."""
        names = [f"toy@{item}" for item in items]
        process = self.start(sys.executable, "-m", "dvc", "commit", "--force", "--quiet", *names)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """A git and DVC repository with the stages toy@a to toy@d."""
    root = tmp_path / "repository"
    (root / "stages").mkdir(parents=True)
    (root / "stages" / "toy.py").write_text(STAGE)
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / ".gitignore").write_text("/results\n/mlruns\n")
    git = ["git", "-c", "user.email=toy@example.org", "-c", "user.name=Toy"]
    environment = {
        "PYTHONPATH": str(ROOT / "src"),
        "DVC_SITE_CACHE_DIR": str(tmp_path / "site_cache"),
        "MLFLOW_TRACKING_URI": "",
        "DVC_ROOT": "",
    }
    for command in (
        [*git, "init", "--quiet"],
        [sys.executable, "-m", "dvc", "init", "--quiet"],
        [*git, "add", "--all"],
        [*git, "commit", "--quiet", "-m", "Toy"],
    ):
        subprocess.run(command, cwd=root, check=True, env={**os.environ, **environment})
    return Toy(root, environment)


@dataclass
class Server:
    """A real MLflow server on loopback, which keeps its port and store when it is killed and started again."""

    store: str
    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def uri(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", self.store, "--workers", "1"]
        command += ["--artifacts-destination", str(self.folder / "artifacts"), "--host", "127.0.0.1"]
        command += ["--port", str(self.port)]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if requests.get(f"{self.uri}/health", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.2)
        raise AssertionError((self.folder / "server.log").read_text())

    def kill(self) -> None:
        """Kill it and its workers without a chance to say goodbye."""
        import psutil

        if self.process is None:
            return
        for process in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
            process.kill()
        self.process.wait()
        self.process = None


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    """A function that starts a server over a store, a new SQLite one by default; all are killed at the end."""
    servers: list[Server] = []

    def start(store: str) -> Server:
        folder = tmp_path / f"server{len(servers)}"
        folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        servers.append(Server(store or f"sqlite:///{folder}/mlflow.db", folder, port))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()
