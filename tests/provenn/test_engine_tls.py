"""Dask with certificates: stages run by TLS alone, and whoever has none is told so."""

import datetime
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from clusters import Cluster, files, prepare, ran, worked
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from repository import Repository

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
REQUIRED = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}
OTHERWISE = "ends the connection by {}: distributed.comm.require-encryption and distributed.comm.tls must be the same"


def certified(folder: Path) -> dict[str, str]:
    """Make a certificate that signs itself; return the settings by which all parts of Dask take that and no other."""
    folder.mkdir()
    key, now, day = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC), datetime.timedelta(1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
    signed = made.add_extension(x509.BasicConstraints(True, None), critical=True).sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    settings = REQUIRED | {"DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(folder / "cert.pem")}
    for part in ("SCHEDULER", "WORKER", "CLIENT"):
        settings |= {
            f"DASK_DISTRIBUTED__COMM__TLS__{part}__{kind}": f"{folder}/{kind.lower()}.pem" for kind in ("CERT", "KEY")
        }
    return settings


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return certified(tmp_path / "own")


@pytest.fixture
def small(tmp_path: Path) -> Repository:
    return prepare(Repository.make(tmp_path / "repository"))


@pytest.fixture
def encrypted(small: Repository, settings: dict[str, str], tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "cluster", small, **settings)
    yield made
    made.close()


def test_with_certificates_the_bytes_are_those_of_a_serial_repro(small, encrypted, settings, tmp_path):
    for _ in range(2):
        encrypted.add_worker()
    serial = prepare(Repository.make(tmp_path / "serial"))
    serial.dvc("repro", "--all-pipelines")
    small.provenn("repro", "--on", encrypted.address, NOTES="/nowhere/notes", **settings)
    assert files(small.root) == files(serial.root)
    assert ran(small) == ran(serial)
    said = (encrypted.folder / "log").read_text()
    assert f"tls://{encrypted.host}" in said
    assert "tcp://" not in said


def test_without_the_certificate_nothing_runs_and_a_sentence_says_what_to_set(small, encrypted, settings, tmp_path):
    small.define({"one": worked("one")})
    encrypted.add_worker()
    small.provenn("repro", "one", "--on", encrypted.address, **settings)  # both answer
    (small.root / "one.out").unlink()
    small.write("dvc.lock", "")
    another = certified(tmp_path / "another")
    missing = settings | {"DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": "/nowhere/key.pem"}
    for environment, sentence in [
        ({}, OTHERWISE.format("TCP")),
        (another, OTHERWISE.format("TLS")),
        (REQUIRED, "name no certificate that can be read"),
        (missing, "name no certificate that can be read"),
    ]:
        finished = small.provenn("repro", "one", "--on", encrypted.address, code=1, **environment)
        assert sentence in finished.stderr
        assert "Traceback" not in finished.stderr
    assert ran(small) == ["one"]


def test_what_speaks_before_it_is_asked_is_no_scheduler_with_certificates(small, settings):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.sendall(b"\0" * 64)

        threading.Thread(target=speak, daemon=True).start()
        address = f"dask://127.0.0.1:{server.getsockname()[1]}"
        finished = small.provenn("repro", "--on", address, code=1, **settings)
        server.shutdown(socket.SHUT_RDWR)
    assert OTHERWISE.format("TLS") in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_scheduler_without_encryption_is_not_spoken_to_where_it_is_required(small, settings, tmp_path):
    plain = Cluster(tmp_path / "plain", small)
    try:
        plain.add_worker()
        small.define({"one": worked("one")})
        small.provenn("repro", "one", "--on", plain.address)  # it answers
        finished = small.provenn("repro", "one", "--on", plain.address, code=1, **settings)
        assert OTHERWISE.format("TLS") in finished.stderr
    finally:
        plain.close()
