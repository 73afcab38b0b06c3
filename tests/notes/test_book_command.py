"""`python -m notes book`: the book in a browser, for this machine alone."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "notes", "book", "--port"]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a book of one page."""
    (tmp_path / "book/site").mkdir(parents=True)
    (tmp_path / "book/site/index.html").write_text("<p>the book")
    return tmp_path


def hear_ctrl_c() -> None:
    """Undo what a shell does to programs in its background, which ignore Ctrl-C, and so do all that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_it_is_served_to_this_machine_alone_until_ctrl_c(folder: Path) -> None:
    server = subprocess.Popen(
        [*COMMAND, str(free_port())],
        cwd=folder,
        env=os.environ | {"BROWSER": "true"},  # the program of that name, which opens nothing
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    with server:
        try:
            assert server.stdout
            address = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
            assert address
            assert urllib.request.urlopen(address[0], timeout=30).read() == b"<p>the book"
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0
        finally:
            server.kill()


def test_a_port_that_is_taken_is_one_sentence(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        called = subprocess.run([*COMMAND, port], cwd=folder, capture_output=True, text=True)
    assert called.returncode == 1
    assert called.stderr == f"error: port {port} can not be had (Address already in use): choose another with --port.\n"


def test_a_book_that_is_not_built_says_how(tmp_path: Path) -> None:
    called = subprocess.run([*COMMAND, "8000"], cwd=tmp_path, capture_output=True, text=True)
    assert called.returncode == 1
    assert called.stderr == "error: book/site is not there yet: build it with `make book`.\n"
