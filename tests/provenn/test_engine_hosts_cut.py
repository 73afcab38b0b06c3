"""The driver and two nodes, each a host of its own, with a bucket between them; the line to one of the nodes is cut."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from buckets import Bucket, keys
from clusters import Cluster, files, hold, prepare, ran, release, wait_for, worked
from namespaces import connected
from repository import PROGRAMS, Repository

from provenn.supervisor import MARK

pytest.importorskip("distributed")
pytest.importorskip("dvc_s3")
pytest.importorskip("moto.server")
pytestmark = pytest.mark.slow
SILENCE = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "8s", "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s"}


def left_on(folder: Path) -> list[str]:
    """Return the processes of stages on nodes below a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK, "").startswith(str(folder)):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def wait_until(seconds: float, happened: Callable[[], object]) -> bool:
    """Wait until something happened, no longer than that; return whether it did."""
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.2)
    return bool(happened())


def test_a_node_that_is_cut_off_and_comes_back_changes_no_byte_and_leaves_no_process(tmp_path):
    small, serial = (prepare(Repository.make(tmp_path / name)) for name in ("repository", "serial"))
    for repository in (small, serial):
        repository.define(
            {"first": worked("first"), "long": worked("long", "first.out"), "end": worked("end", "long.out")}
        )
    serial.dvc("repro", "end")
    with connected(3) as (home, lost, other):
        bucket = Bucket(tmp_path, home.address, home.inside)
        bucket.be_remote_of(small)
        small.environment |= {"HOME": str(tmp_path / "home"), **keys("driver")}
        cluster = Cluster(tmp_path / "cluster", small, home.address, home.inside, **SILENCE)
        try:
            cut_off = cluster.add_worker(name="lost", host=lost, **keys("lost"))
            reached = hold(small, "long")
            driver = small.start(*home.inside, *PROGRAMS["provenn"], "repro", "end", "--on", cluster.address, **SILENCE)
            process = psutil.Process(int(wait_for(reached)))
            lost.set_line("down")
            cluster.add_worker(name="other", host=other, **keys("other"))
            assert wait_until(90, lambda: "Remove worker" in (cluster.folder / "log").read_text())
            lost.set_line("up")
            process.wait(timeout=90)
            release(small, "long")
            out, err = driver.communicate(timeout=300)
            assert driver.returncode == 0, out + err
            assert cut_off.wait(timeout=90) is not None, "a worker that was cut off ends"
            assert wait_until(30, lambda: not left_on(cluster.folder)), left_on(cluster.folder)
        finally:
            cluster.close()
            bucket.close()
    assert files(small.root) == files(serial.root)
    assert ran(small) == sorted([*ran(serial), "long"]), "what was cut off ran again, and nothing else"
    assert len(small.runs()) == len(ran(serial)), "a stage has one run"
