"""Stages at Dask's workers, which share no folder with the repository: the same bytes, and faults of the transport."""

import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from clusters import Cluster, RayCluster, files, hold, prepare, ran, release, wait_for, worked
from repository import Repository

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
OTHERS = {"data.csv.dvc": "unchanged", "sub/dvc.yaml:below": "failed"}


@pytest.fixture
def small(tmp_path: Path) -> Repository:
    return prepare(Repository.make(tmp_path / "repository"))


@pytest.fixture
def cluster(small: Repository, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "cluster", small)
    yield made
    made.close()


@pytest.fixture
def nowhere() -> dict[str, str]:
    """What makes a stage fail that runs on the driver's machine."""
    return {"NOTES": "/nowhere/notes"}


def test_what_two_nodes_make_is_what_a_serial_repro_makes_byte_for_byte(small, cluster, nowhere, tmp_path):
    cluster.add_worker()
    cluster.add_worker()
    serial = prepare(Repository.make(tmp_path / "serial"))
    serial.dvc("repro", "--all-pipelines")
    small.provenn("repro", "--on", cluster.address, **nowhere)
    assert files(small.root) == files(serial.root)
    assert (small.root / "tool").stat().st_mode & 0o100
    assert ran(small) == ran(serial)

    assert "up to date" in small.dvc("status")
    assert {"node", "numeric.platform"} <= small.run_of("join").data.tags.keys()
    assert len(small.runs()) == len(ran(small)), "a stage has one run"

    # A `persist` output goes on from what it was; what the remote's run cache has is restored.
    for repository in (small, serial):
        repository.change_params(lambda values: values.update(size=4, rate=2))
    serial.dvc("repro", "--all-pipelines")
    small.provenn("repro", "--on", cluster.address, **nowhere)
    assert files(small.root) == files(serial.root)
    before = ran(small)
    clone = tmp_path / "clone"
    small.commit()
    small.git("clone", "--quiet", ".", str(clone))
    (clone / "dvc.lock").unlink()
    found = Repository(clone, small.environment).provenn("repro", "folder", "--on", cluster.address, **nowhere)
    assert "1 restored" in found.stdout
    assert ran(small) == before


def test_a_stage_that_fails_is_not_tried_again_and_stops_only_what_needs_it(small, cluster):
    cluster.add_worker()
    bad = {"cmd": "echo bad >> $NOTES && echo the disk is on fire && exit 3", "outs": ["bad.out"]}
    small.define({"bad": bad, "after": worked("after", "bad.out"), "apart": worked("apart")})
    finished = small.provenn("repro", "--on", cluster.address, "--json", code=1)
    outcomes = {stage["stage"]: stage["outcome"] for stage in json.loads(finished.stdout)["stages"]}
    assert outcomes == OTHERS | {"bad": "failed", "after": "skipped", "apart": "ran"}
    assert "the disk is on fire" in finished.stderr
    assert "exited with 3" in finished.stderr
    assert ran(small).count("bad") == 1


def test_a_killed_worker_leaves_nothing_running_and_its_stage_runs_at_another(small, cluster):
    small.define({"long": worked("long")})
    reached = hold(small, "long")
    first = cluster.add_worker()
    started = small.start("provenn", "repro", "long", "--on", cluster.address)
    process = psutil.Process(int(wait_for(reached)))
    cluster.add_worker()
    first.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    release(small, "long")
    out, err = started.communicate(timeout=300)
    assert started.returncode == 0, out + err
    assert ran(small) == ["long", "long"], "one was killed"
    assert (small.root / "long.out").is_file()


def test_a_killed_driver_takes_up_its_stages_again_and_runs_nothing_twice(small, cluster):
    small.define({"first": worked("first"), "long": worked("long", "first.out"), "end": worked("end", "long.out")})
    reached = hold(small, "long")
    cluster.add_worker()
    cluster.add_worker()
    driver = small.start("provenn", "repro", "end", "--on", cluster.address)
    wait_for(reached)
    driver.kill()
    driver.communicate()
    again = small.start("provenn", "repro", "end", "--on", cluster.address)
    time.sleep(5)
    release(small, "long")
    out, err = again.communicate(timeout=300)
    assert again.returncode == 0, out + err
    assert ran(small) == ["end", "first", "long"]
    assert "up to date" in small.dvc("status", "end")


def start_held(small, cluster):
    """Start a driver whose one stage, `long`, waits at a worker to be released; return it and the stage's process."""
    small.define({"long": worked("long")})
    cluster.add_worker()
    reached = hold(small, "long")
    driver = small.start("provenn", "repro", "long", "--on", cluster.address)
    return driver, psutil.Process(int(wait_for(reached)))


def test_ctrl_c_ends_what_runs_on_the_nodes(small, cluster):
    driver, process = start_held(small, cluster)
    driver.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    driver.communicate(timeout=300)
    assert driver.returncode == 128 + signal.SIGINT
    release(small, "long")
    assert "1 ran" in small.provenn("repro", "long", "--on", cluster.address).stdout


def test_ctrl_c_ends_what_waits_for_a_place_too(small, cluster):
    names = [f"s{number}" for number in range(8)]
    small.define({name: worked(name) for name in names})
    cluster.add_worker("--nthreads", "2")
    reached = [hold(small, name) for name in names]
    driver = small.start("provenn", "repro", *names, "--on", cluster.address)
    while sum(path.exists() for path in reached) < 2:
        time.sleep(0.1)
    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=300)
    assert driver.returncode == 128 + signal.SIGINT
    time.sleep(3)
    running = [int(path.read_text()) for path in reached if path.exists() and path.read_text()]
    assert not [number for number in running if psutil.pid_exists(number)]


def test_without_a_node_there_is_a_sentence_that_says_how_to_start_one(small, cluster):
    small.define({"one": worked("one")})
    finished = small.provenn("repro", "one", "--on", cluster.address, "--wait", "2", code=1)
    assert "has had no node for one for 2 s: start one with `dask worker tcp://127.0.0.1" in finished.stdout
    cluster.add_worker()
    small.define({"one": worked("one", meta={"provenn": {"gpus": 1}})})
    finished = small.provenn("repro", "one", "--on", cluster.address, "--wait", "2", code=1)
    assert "--resources 'GPU=1'`" in finished.stdout


def test_stages_stay_on_the_nodes_of_a_platform_but_those_whose_bytes_are_portable(small, cluster, tmp_path):
    other = tmp_path / "other.notes"
    cluster.add_worker("--resources", "GPU=1", NOTES=str(other))
    cluster.add_worker("--resources", "avx2=1")
    # Only the other node has a GPU, so this one can run nowhere unless it may leave the platform.
    portable = worked("portable", meta={"provenn": {"portable": True, "gpus": 1}})
    small.define({name: worked(name) for name in ("one", "two", "three", "four")} | {"portable": portable})
    targets = ("one", "two", "three", "four", "portable")
    small.provenn("repro", *targets, "--on", cluster.address, "--platform", "avx2")
    assert ran(small) == ["four", "one", "three", "two"]
    assert other.read_text().split() == ["portable"]

    small.define({"held": worked("held", meta={"provenn": {"platform": "avx512"}})})
    repro = ("repro", "held", "--on", cluster.address, "--platform", "avx2")
    assert "--resources 'avx512=1'`" in small.provenn(*repro, "--wait", "2", code=1).stdout
    assert "--on names" in small.provenn("repro", "--platform", "avx2", code=1).stderr
    assert "error: --platform: " in small.provenn(*repro[:-1], "a b", code=1).stderr


def test_a_scheduler_that_dies_and_a_remote_that_takes_nothing_are_each_a_sentence(small, cluster):
    driver, process = start_held(small, cluster)
    cluster.scheduler.kill()
    out, _ = driver.communicate(timeout=300)
    assert driver.returncode == 1
    assert "long was lost at dask://" in out
    process.wait(timeout=120)

    release(small, "long")
    cluster.restart()
    small.dvc("remote", "modify", "store", "url", "/dev/null/nowhere")
    out = small.provenn("repro", "long", "--on", cluster.address, code=1).stdout
    assert "what it needs could not be sent" in out
    assert ran(small) == ["long"]


def test_what_is_missing_is_said_in_a_sentence(small):
    assert "names no engine" in small.provenn("repro", "--on", "slurm", code=1).stderr
    assert "`dask scheduler` starts one" in small.provenn("repro", "--on", "dask://127.0.0.1:9", code=1).stderr
    small.dvc("remote", "remove", "store")
    assert "dvc remote add -d" in small.provenn("repro", "--on", "dask://127.0.0.1:9", code=1).stderr


def test_an_engine_of_its_own_needs_no_remote(small, tmp_path):
    serial = prepare(Repository.make(tmp_path / "serial"))
    serial.dvc("repro", "--all-pipelines")
    small.dvc("remote", "remove", "store")
    serial.dvc("remote", "remove", "store")
    small.provenn("repro", "--on", "local", "-j", "2")
    assert files(small.root) == files(serial.root)


def test_an_edit_of_the_same_size_is_seen_on_a_node(small):
    small.write(
        "dvc.yaml", {"stages": {"copy": {"cmd": "cat src.txt > out.txt", "deps": ["src.txt"], "outs": ["out.txt"]}}}
    )
    (small.root / "sub/dvc.yaml").unlink()
    for number in "01234":
        small.write("src.txt", number)
        small.provenn("repro", "--on", "local")
        assert (small.root / "out.txt").read_text() == number
        assert "up to date" in small.dvc("status")
    log = small.root / ".dvc/tmp/provenn/logs/copy.log"
    assert log.read_text().count("Running stage") == 1


def test_a_stage_without_outputs_comes_back_from_a_node(small):
    small.write("dvc.yaml", {"stages": {"say": {"cmd": "echo hello"}}})
    small.provenn("repro", "say", "--on", "local")
    assert "hello" in (small.root / ".dvc/tmp/provenn/logs/say.log").read_text()


def test_ray_makes_the_same_bytes_and_lets_nobody_in_without_its_token(small, tmp_path):
    pytest.importorskip("ray")
    serial = prepare(Repository.make(tmp_path / "serial"))
    serial.dvc("repro", "--all-pipelines")
    reached = hold(small, "folder")
    driver = small.start("provenn", "repro", "--on", "ray", "-j", "2")
    wait_for(reached)
    (server,) = (child for child in psutil.Process(driver.pid).children(recursive=True) if "gcs" in child.name())
    port = next(found.laddr.port for found in server.net_connections("tcp") if found.status == psutil.CONN_LISTEN)
    intruder = f"import ray; ray.init('127.0.0.1:{port}')"
    assert small.run(sys.executable, "-c", intruder, code=1, HOME=str(tmp_path)).returncode == 1
    release(small, "folder")
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, out + err
    assert files(small.root) == files(serial.root)
    assert ran(small) == ran(serial)


def test_a_cluster_of_ray_makes_the_same_bytes(small, tmp_path, nowhere):
    pytest.importorskip("ray")
    serial = prepare(Repository.make(tmp_path / "serial"))
    serial.dvc("repro", "--all-pipelines")
    cluster = RayCluster(tmp_path / "r", small)
    try:
        repro = ("repro", "--on", cluster.address, "--platform")
        made = small.provenn(*repro, "avx2", **cluster.token, **nowhere).stdout
        assert "could not start a server for this client; trying again" in made
        small.change_params(lambda values: values.update(rate=2))
        failed = small.provenn(*repro, "avx512", "--wait", "2", code=1, **cluster.token, **nowhere).stdout
        assert """--resources='{"avx512": 1}'`""" in failed
        small.change_params(lambda values: values.update(rate=1e-05))
    finally:
        cluster.close()
    assert files(small.root) == files(serial.root)
    assert ran(small) == ran(serial)


def test_an_output_with_a_remote_of_its_own_goes_there_when_it_is_pushed(small, cluster, nowhere, tmp_path):
    second = tmp_path / "second"
    small.dvc("remote", "add", "second", str(second))
    small.define(
        {"one": worked("one") | {"outs": [{"one.out": {"remote": "second"}}]}, "two": worked("two", "one.out")}
    )
    cluster.add_worker()
    small.provenn("repro", "two", "--on", cluster.address, **nowhere)
    assert ran(small) == ["one", "two"]
    small.dvc("push", "one", "two")
    content = (small.root / "one.out").read_bytes()
    assert [path.read_bytes() for path in second.rglob("*") if path.is_file()] == [content]
    assert "in sync" in small.dvc("status", "--cloud", "one", "two")
