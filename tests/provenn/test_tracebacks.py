"""What is wrong with files, servers and the installation is one sentence on standard error, never a traceback."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from repository import Repository

DEPTH = 20_000
DEEP = "[" * DEPTH + "]" * DEPTH
STAGE = {"cmd": "echo '{\"x\": 1}' > m.json", "params": ["rate"], "metrics": ["m.json"]}


@pytest.fixture
def shown(repository: Repository) -> Repository:
    """A repository with a result, and rules on it."""
    repository.write("params.yaml", "rate: 1\n")
    repository.define({"a": STAGE})
    repository.dvc_here("repro")
    repository.write("gate.yaml", json.dumps([{"rule": "r", "metric": "m.json:x", "at_least": 0}]))
    return repository


def refusal(repository: Repository, *command: str, code: int = 1, **variables: str) -> str:
    """Return the one sentence that a command prints and ends with."""
    answer = repository.provenn(*command, code=code, **variables)
    assert answer.stderr.startswith("error: "), answer.stderr
    assert answer.stderr.count("\n") == 1, answer.stderr
    return answer.stderr


@pytest.mark.fault(
    "params.yaml, a metric file or gate.yaml is nested 20,000 deep",
    "one sentence that names the file",
)
@pytest.mark.parametrize("command", [("repro",), ("sync",), ("lineage", "a"), ("reproduce", "a"), ("deps",)])
def test_deeply_nested_parameters(shown, command):
    shown.write("params.yaml", f"rate: {DEEP}\n")
    assert "params.yaml is nested too deeply" in refusal(shown, *command)


def test_deeply_nested_metrics_break_the_gate_with_a_sentence_and_are_shown_as_none(shown):
    shown.write("m.json", DEEP)
    assert "m.json is nested too deeply" in refusal(shown, "gate", code=2)
    shown.dvc_here("commit", "--force")
    shown.provenn("sync")


def test_deeply_nested_rules(shown):
    shown.write("gate.yaml", DEEP)
    assert "gate.yaml is nested too deeply" in refusal(shown, "gate", code=2)


@pytest.mark.parametrize("name", ["gate.yaml", "m.json"])
def test_a_folder_for_a_file_of_the_gate(shown, name):
    (shown.root / name).unlink()
    (shown.root / name).mkdir()
    assert f"{name} is a folder" in refusal(shown, "gate", code=2)


@pytest.mark.fault(
    "A folder lies where a file is expected, or a file where a folder is",
    "one sentence that names it",
)
@pytest.mark.parametrize("name", ["dvc.lock", "params.yaml"])
@pytest.mark.parametrize("command", ["repro", "sync"])
def test_a_folder_for_a_file_of_the_pipeline(shown, name, command):
    (shown.root / name).unlink()
    (shown.root / name).mkdir()
    assert name in refusal(shown, command)


def test_a_folder_for_the_store_s_file_and_a_file_for_a_folder(shown):
    shutil.rmtree(shown.root / "mlruns")
    (shown.root / "mlruns/mlflow.db").mkdir(parents=True)
    assert "mlruns/mlflow.db is a folder where a file is expected" in refusal(shown, "sync")
    shutil.rmtree(shown.root / "mlruns")
    shown.write("mlruns", "")
    assert "mlruns is a file where a folder is expected" in refusal(shown, "sync")
    shutil.rmtree(shown.root / ".dvc/tmp/provenn", ignore_errors=True)
    shown.write(".dvc/tmp/provenn", "")
    assert ".dvc/tmp/provenn is a file where a folder is expected" in refusal(shown, "repro")


@pytest.fixture
def refusing() -> Iterator[str]:
    """The address of a server that knows no user."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.fault(
    "The tracking server refuses the user (401)",
    "one sentence with the variables to set",
)
def test_a_server_that_refuses_the_user(shown, refusing):
    said = refusal(shown, "sync", MLFLOW_TRACKING_URI=refusing)
    assert "refuses this user (401): set MLFLOW_TRACKING_USERNAME" in said


@pytest.mark.fault(
    "The tracking URI is malformed",
    "one sentence that names it, without its password",
)
@pytest.mark.parametrize("uri", ["http://[::1", "http://host:port/x", "sqlite:/x.db", "htp://x", "mysql://u@h/x"])
def test_an_address_that_is_none(shown, uri):
    assert uri.replace("u@", "***@") in refusal(shown, "sync", MLFLOW_TRACKING_URI=uri)


@pytest.mark.fault(
    "A package is missing",
    "one sentence with the command that installs it",
)
@pytest.mark.parametrize(("package", "command"), [("typer", "gate"), ("mlflow", "sync"), ("dvc", "repro")])
def test_a_package_that_is_missing(shown, package, command):
    shown.write(f"src/{package}/__init__.py", f"raise ModuleNotFoundError('No module', name='{package}')\n")
    said = refusal(shown, command)
    assert f"the Python package {package} is missing" in said
    assert "pip install" in said
