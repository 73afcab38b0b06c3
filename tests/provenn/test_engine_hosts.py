"""Stages on hosts that share nothing but a network: a bucket, certificates, a cut line, another clock."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import psutil
import pytest
from clusters import Cluster, files, hold, prepare, ran, release, wait_for, worked
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto.server import ThreadedMotoServer
from repository import Repository

from provenn.supervisor import MARK

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
KEYS = {"AWS_ACCESS_KEY_ID": "an-access-key", "AWS_SECRET_ACCESS_KEY": "a-secret-that-nobody-may-keep"}
AHEAD_HOURS = 5
TOLD = """
import os, pathlib, time
from provenn.record import track
with track() as run:
    run.log({"loss": 0.5}, step=1)
    pathlib.Path(f"{os.environ['NOTES']}.time").write_text(str(time.time()))
    pathlib.Path("told.out").write_text("told")
    pathlib.Path("told.json").write_text("{}")
"""
TCP_SECONDS = 12  # after which Dask gives up a peer that does not answer; it takes no less


@pytest.fixture
def small(tmp_path: Path) -> Repository:
    return prepare(Repository.make(tmp_path / "repository"))


@pytest.fixture
def serial(tmp_path: Path) -> Repository:
    made = prepare(Repository.make(tmp_path / "serial"))
    made.dvc("repro", "--all-pipelines")
    return made


class Bucket:
    """A server that speaks S3, with one bucket."""

    def __init__(self, host: str) -> None:
        self.server = ThreadedMotoServer(ip_address=host, port=0, verbose=False)
        self.server.start()
        self.url = "http://{}:{}".format(*self.server.get_host_and_port())
        client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
        )
        client.create_bucket(Bucket="bucket")
        self.client = client

    def be_remote_of(self, repository: Repository) -> None:
        """Be the repository's remote; only its environment has the keys."""
        repository.dvc("remote", "modify", "store", "url", "s3://bucket/store")
        repository.dvc("remote", "modify", "store", "endpointurl", self.url)
        repository.environment |= KEYS

    def contents(self) -> list[bytes]:
        """Return what is in it."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="bucket")
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return [self.client.get_object(Bucket="bucket", Key=key)["Body"].read() for key in keys]


def test_a_bucket_carries_all_files_and_nobody_keeps_its_keys(small, serial, tmp_path):
    bucket = Bucket("127.0.0.1")
    bucket.be_remote_of(small)
    cluster = Cluster(tmp_path / "cluster", small, **KEYS)
    try:
        cluster.add_worker()
        cluster.add_worker()
        small.provenn("repro", "--on", cluster.address, NOTES="/nowhere/notes")
        assert files(small.root) == files(serial.root)
        assert ran(small) == ran(serial)
        assert len(small.runs()) == len(ran(small))
        stored = bucket.contents()
    finally:
        cluster.close()
        bucket.server.stop()
    assert len(stored) > 20
    secret = KEYS["AWS_SECRET_ACCESS_KEY"].encode()
    kept = (path for place in (small.root, cluster.folder) for path in place.rglob("*") if path.is_file())
    assert not any(secret in content for content in [*stored, *(path.read_bytes() for path in kept)])


def test_an_output_with_a_remote_of_its_own_goes_there_when_it_is_pushed(small, tmp_path):
    second = tmp_path / "second"
    small.dvc("remote", "add", "second", str(second))
    own = worked("one") | {"outs": [{"one.out": {"remote": "second"}}]}
    small.define({"one": own, "two": worked("two", "one.out")})
    cluster = Cluster(tmp_path / "cluster", small)
    try:
        cluster.add_worker()
        small.provenn("repro", "two", "--on", cluster.address, NOTES="/nowhere/notes")
    finally:
        cluster.close()
    assert ran(small) == ["one", "two"]
    small.dvc("push", "two", "one")
    content = (small.root / "one.out").read_bytes()
    assert [path.read_bytes() for path in second.rglob("*") if path.is_file()] == [content]
    assert "in sync" in small.dvc("status", "--cloud", "one", "two")


def make_certificate(folder: Path) -> dict[str, str]:
    """Make a certificate that vouches for itself; return Dask's settings with which all three sides use it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cluster")]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(pem)
    settings = {"CA_FILE": "certificate.pem"}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        settings |= {f"{role}__CERT": "certificate.pem", f"{role}__KEY": "key.pem"}
    found = {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(folder / file) for name, file in settings.items()}
    return found | {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}


def test_certificates_let_their_holders_in_and_nobody_else(small, tmp_path):
    own, foreign = make_certificate(tmp_path / "own"), make_certificate(tmp_path / "foreign")
    small.define({"one": worked("one")})
    cluster = Cluster(tmp_path / "cluster", small, **own)
    try:
        cluster.add_worker()
        assert "1 ran" in small.provenn("repro", "one", "--on", cluster.address, **own).stdout
        for other in ({}, foreign):
            refused = small.provenn("repro", "one", "--on", cluster.address, code=1, **other)
            assert "no scheduler of Dask answers" in refused.stderr
            assert "Traceback" not in refused.stderr
    finally:
        cluster.close()


class Host:
    """A network namespace: as good as another machine on the line, but for the disk."""

    def __init__(self, number: int) -> None:
        self.name, self.link = f"provenn{os.getpid()}-{number}", f"pv{os.getpid()}-{number}"
        network = f"10.213.{2 * (os.getpid() % 100) + number}"
        self.gateway, self.address = f"{network}.1", f"{network}.2"
        self.inside = ("ip", "netns", "exec", self.name)
        for command in (
            f"ip netns add {self.name}",
            f"ip link add {self.link} type veth peer name eth0 netns {self.name}",
            f"ip address add {self.gateway}/24 dev {self.link}",
            f"ip link set {self.link} up",
            f"ip -n {self.name} address add {self.address}/24 dev eth0",
            f"ip -n {self.name} link set eth0 up",
            f"ip -n {self.name} link set lo up",
            f"ip -n {self.name} route add default via {self.gateway}",
        ):
            subprocess.run(command.split(), check=True, capture_output=True)

    def plug(self, state: str) -> None:
        """Connect the line (`up`), or cut it (`down`)."""
        subprocess.run(["ip", "link", "set", self.link, state], check=True)

    def remove(self) -> None:
        """Take the namespace away, with its line."""
        subprocess.run(["ip", "link", "delete", self.link], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "delete", self.name], check=False, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    made: list[Host] = []
    try:
        if not shutil.which("ip"):
            pytest.skip("needs the command ip")
        try:
            made.extend(map(Host, range(2)))
        except subprocess.CalledProcessError as error:
            pytest.skip(f"may make no network namespaces: {error.stderr.decode().strip()}")
        yield made
    finally:
        for host in made:
            host.remove()


def left_on(cluster: Cluster) -> list[str]:
    """Return the processes of stages on the cluster's nodes."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK, "").startswith(str(cluster.folder)):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_a_host_whose_line_is_cut_loses_its_stage_to_another_one(small, tmp_path, hosts):
    chain = {"first": worked("first"), "long": worked("long", "first.out"), "end": worked("end", "long.out")}
    small.define(chain)
    serial = prepare(Repository.make(tmp_path / "serial"))
    serial.define(chain)
    serial.dvc("repro", "end")
    bucket = Bucket(hosts[0].gateway)
    bucket.be_remote_of(small)
    timeouts = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": f"{TCP_SECONDS}s"}
    cluster = Cluster(tmp_path / "cluster", small, hosts[0].gateway, **KEYS, **timeouts)
    try:
        reached = hold(small, "long")
        lost, other = hosts
        cluster.add_worker(host=lost.address, inside=lost.inside)
        driver = small.start("provenn", "repro", "end", "--on", cluster.address, **timeouts)
        process = psutil.Process(int(wait_for(reached)))
        lost.plug("down")
        cluster.add_worker(host=other.address, inside=other.inside)
        process.wait(timeout=120)  # its worker has noticed
        lost.plug("up")
        release(small, "long")
        out, err = driver.communicate(timeout=300)
        assert driver.returncode == 0, out + err
        assert (small.root / "dvc.lock").read_bytes() == (serial.root / "dvc.lock").read_bytes()
        assert ran(small) == ["end", "first", "long", "long"], "one was cut off"
        assert len(small.runs()) == len(chain)
        deadline = time.monotonic() + 60
        while (left := left_on(cluster)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert left == []
    finally:
        cluster.close()
        bucket.server.stop()


def test_a_host_whose_clock_is_ahead_makes_the_same_bytes_and_no_run_of_the_future(small, tmp_path):
    library = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
    if library is None:
        pytest.skip("needs libfaketime (Debian: apt-get install faketime)")
    chain = {"told": worked("told") | {"cmd": "python told.py", "deps": ["told.py"]}, "end": worked("end", "told.out")}
    serial = prepare(Repository.make(tmp_path / "serial"))
    for repository in (small, serial):
        repository.write("told.py", TOLD)
        repository.define(chain)
    serial.dvc("repro", "end")
    clock = {"LD_PRELOAD": str(library), "FAKETIME": f"+{AHEAD_HOURS}h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    began = time.time()
    cluster = Cluster(tmp_path / "cluster", small)
    try:
        cluster.add_worker(**clock)
        small.provenn("repro", "end", "--on", cluster.address)
    finally:
        cluster.close()
    assert (small.root / "dvc.lock").read_bytes() == (serial.root / "dvc.lock").read_bytes()
    assert float(Path(f"{small.environment['NOTES']}.time").read_text()) > began + 3600 * AHEAD_HOURS - 60
    assert len(small.runs()) == len(chain)
    assert small.run_of("told").data.metrics["loss"] == 0.5
    for run in small.runs():
        assert began - 60 < run.info.start_time / 1000 <= run.info.end_time / 1000 < time.time() + 1
