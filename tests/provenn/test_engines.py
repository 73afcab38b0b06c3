"""Stages at Dask's workers, which share no folder with the repository: the same bytes, and faults of the transport."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import Cluster, prepare, ran
from repository import Repository

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow


def files(root: Path) -> dict[str, bytes]:
    hidden = (".git", ".dvc", "mlruns")
    found = (path for path in root.rglob("*") if path.is_file() and path.relative_to(root).parts[0] not in hidden)
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


@pytest.fixture
def small(tmp_path: Path) -> Repository:
    return prepare(Repository.make(tmp_path / "repository"))


@pytest.fixture
def cluster(small: Repository, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "cluster", small)
    yield made
    made.close()


def test_what_two_nodes_make_is_what_a_serial_repro_makes_byte_for_byte(small, cluster, tmp_path):
    cluster.add_worker()
    cluster.add_worker()
    serial = prepare(Repository.make(tmp_path / "serial"))
    serial.dvc("repro", "--all-pipelines")
    small.provenn("repro", "--on", cluster.address)
    assert files(small.root) == files(serial.root)
    assert (small.root / "tool").stat().st_mode & 0o100
    assert ran(small) == ran(serial)
