"""The results as others fetch them: by DVC's API, and from MLflow's model server."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import dvc.api
import numpy as np
import onnxruntime
import psutil
import pytest
import requests
from repository import Repository

from notes.data.tasks import load_split

pytestmark = pytest.mark.slow
MODEL = "models/exported/linear.onnx"


def test_dvc_s_api_reads_files_of_a_commit(finished: Repository) -> None:
    expected = (finished.root / MODEL).read_bytes()
    assert dvc.api.read(MODEL, repo=str(finished.root), rev="HEAD", mode="rb") == expected
    metrics = dvc.api.read("results/evaluate/linear/metrics.json", repo=str(finished.root), rev="HEAD")
    assert json.loads(metrics)["champion"].startswith("linear_")


def test_dvc_fetches_a_champion_by_the_version_of_its_tag(linear: Repository, tmp_path: Path) -> None:
    linear.git("tag", "-a", "linear@v1.0.0", "-m", "The first")
    for name, arguments in (("newest", ()), ("named", ("--rev", "v1.0.0"))):
        linear.dvc("artifacts", "get", str(linear.root), "linear", *arguments, "--out", str(tmp_path / name))
        assert (tmp_path / name).read_bytes() == (linear.root / MODEL).read_bytes()


@pytest.fixture
def server(finished: Repository):
    """The address of `mlflow models serve` with the champion of the task."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/linear@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{finished.root}/mlruns/mlflow.db"}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 240
    while True:
        try:
            requests.get(f"{address}/ping", timeout=5).raise_for_status()
            break
        except requests.RequestException:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
    children = psutil.Process(process.pid).children(recursive=True)
    yield address
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)
    for child in psutil.wait_procs(children, timeout=20)[1]:
        child.kill()


def test_mlflow_serves_the_champion_as_onnx_runtime_answers_and_refuses_other_shapes(server, finished) -> None:
    inputs = load_split("linear", "test", finished.root).inputs
    session = onnxruntime.InferenceSession(finished.root / MODEL)
    (given,) = session.get_inputs()
    inputs = inputs.astype({"tensor(float)": np.float32, "tensor(double)": np.float64}[given.type])
    (expected,) = session.run(None, {given.name: inputs})
    answer = requests.post(f"{server}/invocations", json={"inputs": {given.name: inputs.tolist()}}, timeout=60)
    assert answer.ok, answer.text
    (served,) = answer.json()["predictions"].values()
    np.testing.assert_allclose(np.array(served), expected, rtol=1e-6)
    wide = np.hstack([inputs, inputs])
    refused = requests.post(f"{server}/invocations", json={"inputs": {given.name: wide.tolist()}}, timeout=60)
    assert refused.status_code == 400
    assert "shape" in refused.json()["message"]
