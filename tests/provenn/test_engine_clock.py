"""A node whose clock is hours off: results do not depend on it, and the times of runs are those of this machine."""

import time
from pathlib import Path

import pytest
from clusters import Cluster, files, prepare, ran, worked
from repository import Repository

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
TOLD = """
import os, pathlib, time
from provenn.record import track
with track() as run:
    run.log({"loss": 0.5}, step=1)
    run.log({"loss": 0.25}, step=2)
pathlib.Path(os.environ["NOTES"]).with_suffix(".time").write_text(str(time.time()))
pathlib.Path("told.out").write_text("told")
"""


@pytest.mark.parametrize("hours", [7, -7])
def test_a_clock_that_is_hours_off_changes_no_byte_and_no_time_of_a_run(tmp_path, hours):
    library = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
    if library is None:
        pytest.skip("a clock that is off needs libfaketime (Debian: faketime)")
    small, serial = (prepare(Repository.make(tmp_path / name)) for name in ("repository", "serial"))
    told = {"cmd": "python told.py", "deps": ["told.py"], "outs": ["told.out"]}
    for repository in (small, serial):
        repository.write("told.py", TOLD)
        repository.define({"told": told, "end": worked("end", "told.out")})
    serial.dvc("repro", "end")
    began = time.time()
    cluster = Cluster(tmp_path / "cluster", small)
    try:
        cluster.add_worker(LD_PRELOAD=str(library), FAKETIME=f"{hours:+}h", FAKETIME_DONT_FAKE_MONOTONIC="1")
        small.provenn("repro", "end", "--on", cluster.address)
    finally:
        cluster.close()
    there = float(Path(small.environment["NOTES"]).with_suffix(".time").read_text())
    assert abs(there - began - 3600 * hours) < 600, "the clock of the node was off"
    assert files(small.root) == files(serial.root)
    assert ran(small) == ["end"]
    assert len(small.runs()) == 2
    ended = time.time()
    for run in small.runs():
        assert began - 1 <= run.info.start_time / 1000 <= run.info.end_time / 1000 <= ended + 1
    history = small.client().get_metric_history(small.run_of("told").info.run_id, "loss")
    assert [point.value for point in history] == [0.5, 0.25]
    assert all(began - 1 <= point.timestamp / 1000 <= ended + 1 for point in history)
