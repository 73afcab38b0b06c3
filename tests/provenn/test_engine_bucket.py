"""Stages at nodes that get their files from a bucket, each with keys of its own that go nowhere."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from buckets import Bucket, found_below, keys
from clusters import Cluster, files, prepare, ran, worked
from repository import Repository

pytest.importorskip("distributed")
pytest.importorskip("dvc_s3")
pytest.importorskip("moto.server")
pytestmark = pytest.mark.slow


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    made = Bucket(tmp_path)
    yield made
    made.close()


@pytest.fixture
def small(tmp_path: Path, bucket: Bucket) -> Repository:
    """A repository whose remote is the bucket, and whose owner has no keys but in the environment."""
    made = prepare(Repository.make(tmp_path / "repository"))
    bucket.be_remote_of(made)
    made.environment |= {"HOME": str(tmp_path / "home"), **keys("driver")}
    return made


@pytest.fixture
def cluster(small: Repository, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "cluster", small)
    yield made
    made.close()


def test_by_way_of_a_bucket_the_bytes_are_those_of_a_serial_repro_and_no_key_is_left_anywhere(
    small, cluster, bucket, tmp_path
):
    nodes = ("first", "second")
    for node in nodes:
        cluster.add_worker(name=node, **keys(node))
    serial = prepare(Repository.make(tmp_path / "serial"))
    serial.dvc("repro", "--all-pipelines")
    small.provenn("repro", "--on", cluster.address, NOTES="/nowhere/notes")
    assert files(small.root) == files(serial.root)
    assert ran(small) == ran(serial)

    stored = bucket.objects()
    jobs = [json.loads(job.read_text()) for job in cluster.folder.rglob("job.json")]
    assert {f"files/files/md5/{job['sources'][:2]}/{job['sources'][2:]}" for job in jobs} <= stored.keys()
    assert {job.parents[3].name for job in cluster.folder.rglob("job.json")} == set(nodes), "both nodes worked"
    for owner in ("driver", *nodes):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            key = keys(owner)[name]
            assert found_below(tmp_path, key) == []
            assert [path for path, content in stored.items() if key.encode() in content] == []

    # What the bucket has of DVC's run cache is restored on a node.
    small.commit()
    small.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    (tmp_path / "clone/dvc.lock").unlink()
    clone = Repository(tmp_path / "clone", small.environment)
    assert "1 restored" in clone.provenn("repro", "folder", "--on", cluster.address).stdout
    assert ran(small) == ran(serial)


def test_without_keys_there_is_a_sentence_and_no_stage_runs(small, cluster):
    small.define({"one": worked("one")})
    cluster.add_worker(AWS_EC2_METADATA_DISABLED="true")
    out = small.provenn("repro", "one", "--on", cluster.address, code=1).stdout
    assert "one was lost at dask://" in out
    assert "credentials" in out
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del small.environment[name]
    out = small.provenn("repro", "one", "--on", cluster.address, code=1).stdout
    assert "what it needs could not be sent: Unable to locate credentials" in out
    assert ran(small) == []
