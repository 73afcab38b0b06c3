"""`provenn ui` and its server: together until either is gone, whatever ends them."""

import os
import signal
import socket
import subprocess

import psutil
import pytest
import requests
from repository import Repository

pytestmark = pytest.mark.slow


def serving(repository: Repository) -> tuple["subprocess.Popen[str]", str, list[psutil.Process]]:
    """Start it on a free port; return its process, the address that it prints, and all processes that it started."""
    ui = repository.start("provenn", "ui", "--port", "0")
    assert ui.stdout
    line = next((line for line in ui.stdout if line.startswith("MLflow: ")), "")
    assert line, ui.communicate()[1]
    return ui, line.split()[1], psutil.Process(ui.pid).children(recursive=True)


def gone(processes: list[psutil.Process]) -> bool:
    """Return whether all of them end within seconds."""
    _, alive = psutil.wait_procs(processes, timeout=20)
    return not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.fault(
    "`provenn ui` is ended by Ctrl-C, SIGTERM or SIGKILL",
    "the server and its workers end with it",
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_the_server_and_its_workers(repository: Repository, number: signal.Signals) -> None:
    ui, address, started = serving(repository)
    assert address.endswith("?workflowType=machine_learning")
    assert requests.get(address, timeout=10).ok, "the address is printed once the server answers"
    assert len(started) >= 3, "the supervisor, MLflow and its worker"
    ui.send_signal(number)
    ui.communicate(timeout=30)
    assert ui.returncode == (-number if number == signal.SIGKILL else 0)
    assert gone(started)
    assert not _is_open(address)


@pytest.mark.fault(
    "MLflow's server or its supervisor is killed under `provenn ui`",
    "the command ends with one sentence and exit code 1, and nothing is left running",
)
@pytest.mark.parametrize("victim", [0, -1], ids=["supervisor", "worker"])
def test_a_server_that_dies_ends_the_command_with_one_sentence(repository: Repository, victim: int) -> None:
    ui, _, started = serving(repository)
    os.kill(started[victim].pid, signal.SIGKILL)
    _, errors = ui.communicate(timeout=60)
    assert ui.returncode == 1
    assert errors.splitlines()[-1].startswith("error: MLflow's server has ended by itself")
    assert gone(started)


@pytest.mark.fault(
    "The port of `provenn ui` is taken",
    "one sentence, exit code 1, before anything is started",
)
def test_a_port_that_is_taken_is_one_sentence_before_anything_is_started(repository: Repository) -> None:
    before = sorted(repository.root.rglob("*"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        answer = repository.provenn("ui", "--port", str(port), code=1)
    assert answer.stdout == ""
    assert answer.stderr.startswith(f"error: port {port} of 127.0.0.1 is taken")
    assert answer.stderr.count("\n") == 1
    assert sorted(repository.root.rglob("*")) == before


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_what_is_no_port_is_refused_by_the_command_line(repository: Repository, port: str) -> None:
    answer = repository.provenn("ui", f"--port={port}", code=2)
    assert "Invalid value for '--port'" in answer.stderr
    assert "Traceback" not in answer.stderr


def _is_open(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(address.split(":")[2].partition("/")[0]))) == 0
