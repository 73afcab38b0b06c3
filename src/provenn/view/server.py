"""The MLflow UI on the embedded store, for this machine alone."""

import os
import subprocess
import sys
from pathlib import Path

from provenn.files import UserError
from provenn.view.store import ARTIFACTS, connect, store_folder, tracking_uri

HOST = "127.0.0.1"


def serve(root: Path, port: int) -> int:
    """Serve the embedded store on loopback until interrupted; return the server's exit code."""
    if os.environ.get("MLFLOW_TRACKING_URI"):
        raise UserError(f"MLFLOW_TRACKING_URI is set: open {os.environ['MLFLOW_TRACKING_URI']} instead, or unset it.")
    connect(root)
    port = port or _free_port()
    print(f"MLflow: http://{HOST}:{port}   (Ctrl-C ends it)", flush=True)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri(root)),
        *("--artifacts-destination", str(store_folder(root) / ARTIFACTS)),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
        *("--allowed-hosts", f"{HOST}:{port},localhost:{port}"),
    ]
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 0


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
