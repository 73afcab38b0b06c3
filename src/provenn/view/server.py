"""The MLflow UI on the embedded store, for this machine alone."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from provenn.addresses import shown_uri
from provenn.files import UserError
from provenn.supervisor import GRACE_SECONDS, MARK, end, find
from provenn.view.pages import links
from provenn.view.store import ARTIFACTS, connect, store_folder, tracking_uri

HOST = "127.0.0.1"
# MLflow's pages read this behind the #; without it they open on traces of language models.
PAGE = "#/experiments?workflowType=machine_learning"
START_SECONDS = 180.0
TICK_SECONDS = 0.2


def serve(root: Path, port: int) -> int:
    """Serve the embedded store on loopback until SIGINT, SIGTERM or SIGHUP; return 0, for that is how it is ended.

    Raises UserError for a port that cannot be had, before anything is started, and when the server ends by itself.
    """
    if given := os.environ.get("MLFLOW_TRACKING_URI"):
        raise UserError(f"MLFLOW_TRACKING_URI is set: open {shown_uri(given)} instead, or unset it.")
    port = _free_port(port)
    client = connect(root)
    command = [
        *(sys.executable, "-P", "-m", "mlflow", "server", "--backend-store-uri", tracking_uri(root)),
        *("--artifacts-destination", str(store_folder(root) / ARTIFACTS)),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
        *("--allowed-hosts", f"{HOST}:{port},localhost:{port}"),
    ]
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda number, frame: signals.append(number))
    # A session of its own: a signal to the terminal reaches this process alone, which ends the others in order.
    mark = f"ui {os.getpid()} {time.time_ns()}"
    supervisor = subprocess.Popen(
        [sys.executable, "-P", "-m", "provenn.supervisor", *command],
        stdin=subprocess.PIPE,
        start_new_session=True,
        # Jobs are for the evaluation of language models: more processes, and a minute of start-up.
        env={"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | os.environ | {MARK: mark},
    )
    try:
        _watch(supervisor, port, signals, links(client))
    finally:
        _end(supervisor, mark)
    if not signals:
        raise UserError("MLflow's server has ended by itself: what it says above tells why; then run `provenn ui`.")
    return 0


def _watch(supervisor: "subprocess.Popen[bytes]", port: int, signals: list[int], pages: dict[str, str]) -> None:
    """Wait until the server has ended or is asked to; say where it is, and its pages, once it answers."""
    address, deadline, answered = f"http://{HOST}:{port}", time.monotonic() + START_SECONDS, False
    while supervisor.poll() is None and not signals:
        if not answered and (answered := _answers(f"{address}/health")) and supervisor.poll() is None:
            width = max(map(len, pages), default=0)
            lines = [f"  {name:{width}}  {address}/{page}" for name, page in pages.items()]
            print("\n".join([f"MLflow: {address}/{PAGE}   (Ctrl-C ends it)", *lines]), flush=True)
        elif not answered and time.monotonic() > deadline:
            raise UserError(f"MLflow's server did not answer within {START_SECONDS:.0f} s: run `provenn ui` again.")
        time.sleep(TICK_SECONDS)


def _end(supervisor: "subprocess.Popen[bytes]", mark: str) -> None:
    assert supervisor.stdin
    supervisor.stdin.close()
    try:
        supervisor.wait(2 * GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()
    end(lambda: find(mark))  # what is left when it was killed


def _answers(address: str) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except HTTPError as error:
        error.close()
        return False
    except (URLError, OSError):
        return False


def _free_port(port: int) -> int:
    """Return the port, or for 0 one that is free; raise UserError where it cannot be had."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server itself does
        try:
            probe.bind((HOST, port))
        except OSError as error:
            what = "is taken: end what listens there" if error.errno == errno.EADDRINUSE else "is not allowed to you"
            raise UserError(
                f"port {port} of {HOST} {what}, or name another; `provenn ui --port 0` takes a free one."
            ) from None
        return int(probe.getsockname()[1])
