"""A DVC that is killed while it writes dvc.lock, and files that killed processes were writing."""

import os
import time

import pytest
from kills import kill, wait_until_gone
from repository import Repository, once
from sleeping import prepare, stage, wait_for_start

pytestmark = pytest.mark.slow

# DVC, killed in the middle of its write of the lock, and with it what stands in VICTIMS. With STARTED set it is a
# process that was started, and writes into the lock itself; else a fork of the runner, which writes a file that then
# takes the lock's name.
CUT = """
import os, sys
of_the_runner, of_dvc = sys.orig_argv[1:3] == ["-m", "provenn"], sys.orig_argv[1:4] == ["-P", "-m", "dvc"]
if of_the_runner or of_dvc:
    import io, pathlib
    from dvc.utils.serialize import _yaml

    dump, write_bytes = _yaml._dump, pathlib.Path.write_bytes
    if of_the_runner and os.environ["STARTED"]:
        from provenn.repro import processes
        processes.can_fork = lambda plan, name: False

    def is_cut(path):
        stage = os.environ.get("PROVENN_MARK", "").rstrip("/").rpartition("/")[2]
        return stage == os.environ["CUT"] and "dvc.lock" in pathlib.Path(path).name

    def die(stream, whole):
        stream.write(whole[: int(len(whole) * float(os.environ["SHARE"]))])
        stream.flush()
        if os.environ["VICTIMS"] == "all":
            import psutil
            for process in psutil.Process().parents()[:2]:  # the supervisor and the runner
                process.kill()
        os.kill(os.getpid(), 9)

    def cut_dump(data, stream):
        whole = io.StringIO()
        dump(data, whole)
        if is_cut(getattr(stream, "name", "")):
            die(stream, whole.getvalue())
        stream.write(whole.getvalue())

    def cut_bytes(path, content):
        if is_cut(path):
            die(path.open("wb"), content)
        return write_bytes(path, content)

    _yaml._dump, pathlib.Path.write_bytes = cut_dump, cut_bytes
"""
STAGES = {"a": stage("a"), "b": stage("b", 0, ("a.txt",)), "c": stage("c", 1.5)}


@pytest.fixture
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The dvc.lock of a run that nobody disturbs."""

    def make(root):
        repository = prepare(Repository.make(root))
        repository.define(STAGES)
        repository.dvc_here("repro")

    return (once(tmp_path_factory, "not_cut", make) / "dvc.lock").read_bytes()


@pytest.mark.parametrize("share", ["0", "0.6"])
@pytest.mark.parametrize(
    ("victim", "others"),
    [
        pytest.param(
            "a",
            "none",
            marks=pytest.mark.fault(
                "A DVC that cannot be forked is killed while it writes the first dvc.lock",
                "it is removed, and the next repro writes it",
            ),
        ),
        pytest.param(
            "b",
            "none",
            marks=pytest.mark.fault(
                "A DVC that cannot be forked is killed while it writes dvc.lock",
                "the run itself puts the last one back",
            ),
        ),
        pytest.param(
            "b",
            "all",
            marks=pytest.mark.fault(
                "`provenn repro` and a DVC that cannot be forked are killed while that writes dvc.lock",
                "the next repro puts the last whole one back, git or not",
            ),
        ),
    ],
)
def test_a_kill_in_the_middle_of_the_locks_write_costs_one_more_repro(sleeping, undisturbed, victim, others, share):
    sleeping.define(STAGES)
    sleeping.write("src/sitecustomize.py", CUT)
    finished = sleeping.provenn("repro", "-j", "2", code=None, CUT=victim, SHARE=share, VICTIMS=others, STARTED="1")
    assert finished.returncode == (-9 if others == "all" else 1)
    assert others == "all" or "dvc.lock was cut while it was written" in finished.stdout
    wait_until_gone(sleeping)
    (sleeping.root / "src" / "sitecustomize.py").unlink()
    sleeping.provenn("repro")
    assert (sleeping.root / "dvc.lock").read_bytes() == undisturbed


@pytest.mark.fault("DVC is killed while it writes dvc.lock", "the last one stays, and the next repro goes on from it")
@pytest.mark.parametrize("others", ["none", "all"])
@pytest.mark.parametrize("victim", ["a", "b"])
def test_a_kill_while_a_forked_dvc_writes_the_lock_leaves_the_last_one(sleeping, undisturbed, victim, others):
    sleeping.define(STAGES)
    sleeping.write("src/sitecustomize.py", CUT)
    finished = sleeping.provenn("repro", "-j", "2", code=None, CUT=victim, SHARE="0.6", VICTIMS=others, STARTED="")
    assert finished.returncode == (-9 if others == "all" else 1)
    assert "was cut" not in finished.stdout
    wait_until_gone(sleeping)
    assert len(list(sleeping.root.glob(".dvc.lock.*.tmp"))) == 1
    (sleeping.root / "src" / "sitecustomize.py").unlink()
    sleeping.provenn("repro")
    assert not list(sleeping.root.glob(".dvc.lock.*.tmp"))
    assert (sleeping.root / "dvc.lock").read_bytes() == undisturbed


OURS = ("models/.a.txt.x0_abcde.tmp", ".b.txt.00000000.tmp", "folder/deep/.any.json.abcdefgh.tmp")
OWN = ".dvc/tmp/provenn/.durations.json.abcdefgh.tmp"
NOT_OURS = ("models/.a.txt.tmp", "models/.other.txt.abcdefgh.tmp", "models/a.txt.abcdefgh.tmp", ".b.txt.ABCDEFGH.tmp")


@pytest.fixture
def littered(sleeping: Repository) -> Repository:
    """A repository with left-over files beside outputs, and others that only look alike."""
    stages = {"a": stage("a", 0, (), ("models/a.txt",)), "b": stage("b")}
    folder = {"cmd": "mkdir -p folder/deep && echo 1 > folder/deep/1", "deps": ["work.py"], "outs": ["folder"]}
    sleeping.define(stages | {"folder": folder})
    sleeping.provenn("repro")
    for path in (*OURS, OWN, *NOT_OURS):
        sleeping.write(path, "half of it")
    return sleeping


def there(repository: Repository) -> set[str]:
    return {path for path in (*OURS, OWN, *NOT_OURS) if (repository.root / path).exists()}


@pytest.mark.fault("A process is killed while it writes a file", "the next repro removes what it had not finished")
def test_left_over_temporary_files_are_removed_and_nothing_else(littered):
    output = littered.provenn("repro").stdout
    assert there(littered) == {OWN, *NOT_OURS}, "a command of ours may be writing the new one of the tool"
    assert all(f"{path}, which a killed process had not finished writing, is removed." in output for path in OURS)
    assert "3 unchanged" in output
    hours_ago = time.time() - 7200
    os.utime(littered.root / OWN, (hours_ago, hours_ago))
    littered.provenn("repro")
    assert there(littered) == set(NOT_OURS)


def test_nothing_is_removed_while_someone_elses_dvc_may_be_writing(littered):
    littered.define({"a": stage("a", 600, (), ("models/a.txt",)), "b": stage("b")})
    other = littered.start("dvc", "repro", "a")
    wait_for_start(littered, "a")
    littered.write(OURS[0], "half of it")
    littered.provenn("repro", "b")
    assert set(OURS[:2]) <= there(littered)
    kill(littered, "training")
    other.communicate(timeout=60)
