"""Clusters for tests, of Dask and of Ray, whose nodes share no folder with each other or with the repository."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from namespaces import Host
from repository import PROJECT, Repository

WORK = """
import json, os, pathlib, sys, time
name, *paths = sys.argv[1:]
with open(os.environ["NOTES"], "a") as notes:
    notes.write(f"{name}\\n")
wait = pathlib.Path(os.environ["NOTES"]).with_suffix(f".{name}")
if wait.exists():
    wait.with_suffix(".reached").write_text(str(os.getpid()))
while wait.exists():
    time.sleep(0.05)
read = "".join(f"{file}: {file.read_text()}" for path in paths for file in sorted(
    pathlib.Path(path).rglob("*") if pathlib.Path(path).is_dir() else [pathlib.Path(path)]) if file.is_file())
print("made by", name, "of", len(read), "characters", os.environ.get("OMP_NUM_THREADS"))
print(read, end="", file=open(f"{name}.out", "w"))
json.dump({"length": len(read), "rate": 1e-05}, open(f"{name}.json", "w"))
"""
FIRST_CLIENT_SERVER_DIES = """
import subprocess, sys
start = subprocess.Popen.__init__
def start_first(self, command, *arguments, **options):
    if "--mode=specific-server" in command:
        subprocess.Popen.__init__ = start
        command = ["false"]
    start(self, command, *arguments, **options)
if "--mode=proxy" in sys.orig_argv:
    subprocess.Popen.__init__ = start_first
"""
SHELL = """
set -e
echo folder >> "$NOTES"
if [ -e "${NOTES%.notes}.folder" ]; then echo $$ > "${NOTES%.notes}.reached"; fi
while [ -e "${NOTES%.notes}.folder" ]; do sleep 0.1; done
mkdir -p made/deep
echo one > made/one.txt
printf '#!/bin/sh\\necho run\\n' > made/deep/two.sh
printf '#!/bin/sh\\necho hello\\n' > tool
chmod +x tool
"""


def worked(name: str, *reads: str, **more: object) -> dict[str, object]:
    """Return a stage that notes that it ran, and writes what it reads, with a metric that DVC does not keep."""
    return {
        "cmd": f"python work.py {name} {' '.join(reads)}",
        "deps": ["work.py", *reads],
        "outs": [f"{name}.out"],
        "metrics": [{f"{name}.json": {"cache": False}}],
        **more,
    }


def prepare(repository: Repository) -> Repository:
    """Make a repository of all kinds of stages: shell, a folder, a matrix, `persist`, a folder of others' outputs."""
    (repository.root.parent / "remote").mkdir(exist_ok=True)
    repository.environment["NOTES"] = str(repository.root.parent / f"{repository.root.name}.notes")
    repository.write("work.py", WORK)
    repository.write("make.sh", SHELL)
    repository.write(".gitignore", "/made\n/tool\n*.out\n/mlruns\n/log.txt\n/parts\n")
    repository.write("params.yaml", "rate: 1e-05\nsize: 3\n")
    repository.write("data.csv", "a,b\n1,2\n")
    repository.dvc_here("add", "--quiet", "data.csv")
    repository.dvc_here("remote", "add", "--quiet", "-d", "store", str(repository.root.parent / "remote"))
    part = "mkdir -p parts && python work.py ${item} data.csv && mv ${item}.out parts/"
    repository.define(
        {
            "folder": {"cmd": "sh make.sh", "deps": ["make.sh"], "outs": ["made", "tool"]},
            "part": {
                "matrix": {"letter": ["a", "b"], "number": [1, 2.5]},
                "cmd": part.replace("${item}", "${item.letter}${item.number}"),
                "deps": ["work.py", "data.csv"],
                "params": ["rate"],
                "outs": ["parts/${item.letter}${item.number}.out"],
                "metrics": [{"${item.letter}${item.number}.json": {"cache": False}}],
            },
            "log": {
                "cmd": "echo log >> $NOTES && ./tool >> log.txt && cat log.txt",
                "deps": ["tool", "made/one.txt"],
                "params": ["size"],
                "outs": [{"log.txt": {"persist": True}}],
            },
            "join": worked("join", "parts", "made", "log.txt"),
            "last": worked("last", "join.json", "join.out"),
        }
    )
    repository.write("sub/dvc.yaml", {"stages": {"below": worked("below", "../last.out") | {"deps": ["../last.out"]}}})
    repository.write("sub/work.py", WORK)
    return repository


def files(root: Path) -> dict[str, bytes]:
    """Return the files of a repository, dvc.lock among them, without what git, DVC and MLflow keep."""
    hidden = (".git", ".dvc", "mlruns")
    found = (path for path in root.rglob("*") if path.is_file() and path.relative_to(root).parts[0] not in hidden)
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def ran(repository: Repository) -> list[str]:
    """Return the stages that began to run, sorted."""
    notes = Path(repository.environment["NOTES"])
    return sorted(notes.read_text().split()) if notes.exists() else []


class Cluster:
    """A scheduler of Dask, and workers on nodes of their own."""

    def __init__(
        self,
        folder: Path,
        repository: Repository,
        address: str = "127.0.0.1",
        inside: Sequence[str] = (),
        **variables: str,
    ) -> None:
        """Start the scheduler at an address, by a command that runs it `inside` a host; all parts get the variables."""
        self.folder, self.repository, self.inside, self.variables = folder, repository, inside, variables
        folder.mkdir()
        self.host = f"{address}:{free_port()}"
        self.address = f"dask://{self.host}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.restart()

    def restart(self) -> None:
        """Start the scheduler."""
        address, _, port = self.host.rpartition(":")
        self.scheduler = self._start(self.inside, "scheduler", "--host", address, "--port", port)

    def add_worker(
        self, *options: str, name: str = "", host: Host | None = None, **variables: str
    ) -> "subprocess.Popen[bytes]":
        """Start a worker on a new node, at a host where one is given, with environment variables of its own."""
        name = name or f"node{len(self.workers)}"
        scheme = "tls" if any("__TLS__" in variable for variable in self.variables) else "tcp"
        address, inside = (host.address, host.inside) if host else ("127.0.0.1", ())
        arguments = ("worker", f"{scheme}://{self.host}", "--no-nanny", "--nthreads", "1", "--host", address)
        places = {"PROVENN_NODE": str(self.folder / name), "HOME": str(self.folder / f"{name}-home")}
        local = ("--local-directory", str(self.folder))
        worker = self._start(inside, *arguments, *local, *options, **places, **variables)
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """End everything."""
        for process in [*self.workers, self.scheduler]:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()

    def _start(self, inside: Sequence[str], *arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
        command = [*inside, sys.executable, "-P", "-m", "dask", *arguments, "--no-dashboard"]
        return start(self.folder, self.repository, command, **self.variables, **variables)


class RayCluster:
    """A cluster of Ray with one node, its client port open to those who have the token.

    The first server that it starts for a client dies at once, as others do now and then, but not here, by themselves:
    ray-project/ray#63202.
    """

    def __init__(self, folder: Path, repository: Repository) -> None:
        folder.mkdir()
        port = free_port()
        self.address = f"ray://127.0.0.1:{port}"
        self.token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
        self._short = tempfile.mkdtemp(prefix="ray-")  # Ray's sockets take no long paths
        ports = (f"--port={free_port()}", f"--ray-client-server-port={port}", "--node-ip-address=127.0.0.1")
        options = ("--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats", """--resources={"avx2": 1}""")
        command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", *ports, *options]
        command += [f"--temp-dir={self._short}"]
        places = {"PROVENN_NODE": str(folder / "node"), "HOME": str(folder)}
        (folder / "sitecustomize.py").write_text(FIRST_CLIENT_SERVER_DIES)
        places["PYTHONPATH"] = f"{folder}{os.pathsep}{PROJECT / 'src'}"
        steady = {"GRPC_ENABLE_FORK_SUPPORT": "0"}
        steady["RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S"] = "60"  # for a server, on a loaded machine
        self._head = start(folder, repository, command, **places, **steady, **self.token)
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    return
            assert self._head.poll() is None, (folder / "log").read_text()
            time.sleep(0.5)
        raise AssertionError("Ray did not start")

    def close(self) -> None:
        """End everything."""
        processes = psutil.Process(self._head.pid).children(recursive=True)
        self._head.kill()
        self._head.wait()
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        shutil.rmtree(self._short, ignore_errors=True)


def start(folder: Path, repository: Repository, command: list[str], **variables: str) -> "subprocess.Popen[bytes]":
    """Start a process of a cluster, its output going to `log` in the folder."""
    foreign = ("GIT_", "DVC_", "RAY_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PYTHONPATH": str(PROJECT / "src"), "NOTES": repository.environment["NOTES"], "PATH": path}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=inherited | own | variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def hold(repository: Repository, name: str) -> Path:
    """Let a stage wait once it runs; return the file that then has its process."""
    wait = Path(repository.environment["NOTES"]).with_suffix(f".{name}")
    wait.touch()
    return wait.with_suffix(".reached")


def release(repository: Repository, name: str) -> None:
    """Let a stage go on."""
    Path(repository.environment["NOTES"]).with_suffix(f".{name}").unlink()


def wait_for(path: Path) -> str:
    """Wait until a file has a content; return it."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if path.is_file() and (text := path.read_text()):
            return text
        time.sleep(0.05)
    raise AssertionError(f"{path} did not come")
