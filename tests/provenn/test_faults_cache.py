"""What a damaged cache, a full disk and a cut dvc.lock do to `provenn repro` and `provenn sync`."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sleeping import Watcher, noted, stage

from provenn.files import UserError
from provenn.repro.runner import reproduce
from provenn.view.sync import synchronise

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("untold")]
WHOLE = "a.txt of a\n"


def repro() -> tuple[dict[str, str], list[str]]:
    watcher = Watcher()
    return dict(reproduce(Path.cwd(), (), 2, watcher).outcomes), watcher.notes


def objects(root: Path) -> list[Path]:
    return [path for path in (root / ".dvc" / "cache" / "files").rglob("*") if path.is_file()]


def damage(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


def set_aside(root: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((root / ".dvc/tmp/provenn/damaged").rglob("*")) if path.is_file()]


@pytest.mark.fault(
    "An object that `repro` would restore is cut, altered or empty",
    "it is set aside and named, and its stage runs again",
)
@pytest.mark.parametrize("content", [b"a.t", b"a.txt of b\n", b""], ids=["cut", "altered", "empty"])
def test_a_damaged_object_is_set_aside_and_its_stage_runs(sleeping, content):
    sleeping.define({"a": stage("a")})
    repro()
    (path,) = objects(sleeping.root)
    damage(path, content)
    (sleeping.root / "a.txt").unlink()
    outcomes, notes = repro()
    assert outcomes == {"a": "ran"}
    assert "a: an object in DVC's cache is damaged; it is set aside in .dvc/tmp/provenn/damaged/" in notes[0]
    assert (sleeping.root / "a.txt").read_text() == path.read_text() == WHOLE
    assert set_aside(sleeping.root) == [content]


@pytest.mark.fault(
    "An object of an earlier result, inside an output folder, is damaged when `repro` goes back to that result",
    "the stage runs again, and the folder is whole",
)
def test_a_damaged_object_of_an_earlier_run_and_of_a_folder_is_found(sleeping):
    folder = stage("a", 0, ("in.txt",), ("made/one.txt", "made/two.txt")) | {"outs": ["made"]}
    sleeping.define({"a": folder})
    sleeping.write("in.txt", "1")
    repro()
    (path,) = [path for path in objects(sleeping.root) if path.read_text().startswith("made/two")]
    sleeping.write("in.txt", "2")
    repro()
    damage(path, b"made")
    sleeping.write("in.txt", "1")
    shutil.rmtree(sleeping.root / "made")
    outcomes, _ = repro()
    assert outcomes == {"a": "ran"}
    assert (sleeping.root / "made" / "two.txt").read_text() == "made/two.txt of a\n"


@pytest.mark.fault(
    "DVC has restored a cut object, and takes the output for unchanged",
    "`repro` sees the wrong size, says so and makes it again",
)
def test_a_cut_output_that_dvc_restored_before_is_made_again(sleeping):
    sleeping.define({"a": stage("a")})
    repro()
    (path,) = objects(sleeping.root)
    damage(path, b"a.t")
    (sleeping.root / "a.txt").unlink()
    sleeping.dvc("checkout")
    assert (sleeping.root / "a.txt").read_text() == "a.t", "DVC itself takes it"
    outcomes, notes = repro()
    assert outcomes == {"a": "ran"}
    assert notes[0] == "a: not of the size that dvc.lock has, so damaged, and made again: a.txt."
    assert (sleeping.root / "a.txt").read_text() == WHOLE


@pytest.mark.fault(
    "An entry of the run cache is cut",
    "`repro` sets it aside, and the stage runs again",
)
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_cut_entry_of_the_run_cache_is_set_aside_and_its_stage_runs(sleeping, share):
    sleeping.define({"a": stage("a")})
    repro()
    (entry,) = [path for path in (sleeping.root / ".dvc" / "cache" / "runs").rglob("*") if path.is_file()]
    whole = entry.read_bytes()
    entry.write_bytes(whole[: int(len(whole) * share)])
    for name in ("dvc.lock", "a.txt"):
        (sleeping.root / name).unlink()
    outcomes, notes = repro()
    assert outcomes == {"a": "ran"}
    assert "a: its entry in the run cache was cut; it is set aside in .dvc/tmp/provenn/damaged/" in notes[0]
    assert entry.read_bytes() == whole
    runs = len(noted(sleeping))
    (sleeping.root / "a.txt").unlink()
    assert repro() == ({"a": "restored"}, [])
    assert len(noted(sleeping)) == runs


@pytest.mark.fault(
    "dvc.lock is empty or cut",
    "`sync` refuses it; `repro` puts back the one that git has and keeps what was left of the other",
)
@pytest.mark.parametrize("end", [0, 5, 17, 40, 150, -20], ids=str)
def test_a_cut_lock_is_put_back_from_git_and_no_agreement_until_then(sleeping, end):
    sleeping.define({"a": stage("a")})
    repro()
    sleeping.commit()
    lock = sleeping.root / "dvc.lock"
    whole = lock.read_bytes()
    lock.write_bytes(whole[:end])
    with pytest.raises(UserError, match=r"^dvc.lock is cut \(.*\): `provenn repro` puts it back"):
        synchronise(sleeping.root)
    outcomes, notes = repro()
    assert outcomes == {"a": "unchanged"}
    assert notes[0].startswith("dvc.lock was cut (it ")
    assert lock.read_bytes() == whole
    assert (sleeping.root / "dvc.lock.damaged").read_bytes() == whole[:end]


@pytest.mark.fault(
    "dvc.lock is empty or cut, and git has none",
    "one sentence with the command; after it everything is restored from the cache",
)
def test_a_cut_lock_that_git_does_not_have_is_left_with_the_next_step(sleeping):
    sleeping.define({"a": stage("a")})
    repro()
    lock = sleeping.root / "dvc.lock"
    lock.write_bytes(b"")
    error = sleeping.provenn("repro", code=1).stderr
    assert error.startswith("error: dvc.lock is cut (it is empty), and git's HEAD has no whole one: move it away with")
    assert error.count("\n") == 1
    lock.rename(lock.with_suffix(".lock.damaged"))
    (sleeping.root / "a.txt").unlink()
    assert repro() == ({"a": "restored"}, [])


@pytest.mark.fault(
    "A conflict that git left in dvc.lock",
    "it is the user's: it is named, and nothing is touched",
)
def test_a_conflict_that_git_left_in_a_lock_is_the_users(sleeping):
    sleeping.define({"a": stage("a")})
    repro()
    sleeping.commit()
    lock = sleeping.root / "dvc.lock"
    lock.write_text(f"<<<<<<< HEAD\n{lock.read_text()}")
    with pytest.raises(UserError, match=r"dvc.lock"):
        repro()
    assert lock.read_text().startswith("<<<<<<< HEAD\n")


@pytest.fixture
def full_disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.fault(
    "The disk of DVC's cache is full",
    "the stage fails with the disk and the remedy named; with room, the next `repro` makes it",
)
def test_a_cache_on_a_full_disk_fails_the_stage_until_there_is_room(sleeping, full_disk):
    made = "for n in 1 2 3 4 5 6; do head -c 20000 /dev/zero > made/$n; echo $n >> made/$n; done"
    sleeping.define({"a": {"cmd": f"mkdir -p made && {made}", "deps": ["work.py"], "outs": ["made"]}})
    sleeping.dvc("cache", "dir", "--local", str(full_disk))
    finished = sleeping.provenn("repro", code=1)
    assert f"a: the disk is full at DVC's cache ({full_disk}/files/md5), so the stage's result is not kept: " in (
        finished.stdout
    )
    assert "free some space, then run `provenn repro` again." in finished.stdout
    assert "failed     a" in finished.stdout
    subprocess.run(["mount", "-o", "remount,size=10m", full_disk], check=True)
    assert repro()[0] == {"a": "ran"}, "dvc.lock must not vouch for a result that is not kept"
    shutil.rmtree(sleeping.root / "made")
    assert repro() == ({"a": "restored"}, [])


@pytest.mark.fault(
    "The disk of the outputs is full or read-only",
    "the stage fails, and the sentence names the disk",
)
@pytest.mark.parametrize(("option", "words"), [("rw", "the disk is full"), ("ro", "the disk is read-only")])
def test_a_full_or_read_only_folder_of_outputs_is_named(sleeping, full_disk, option, words):
    folder = sleeping.root / "models"
    folder.mkdir()
    subprocess.run(["mount", "-o", f"remount,{option}", full_disk], check=True)
    subprocess.run(["mount", "--bind", full_disk, folder], check=True)
    try:
        command = "head -c 200000 /dev/zero > models/a.bin"
        sleeping.define({"a": {"cmd": command, "deps": ["work.py"], "outs": ["models/a.bin"]}})
        outcomes, notes = repro()
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
    assert outcomes == {"a": "failed"}
    assert notes[0].startswith(f"a: {words} at models/a.bin ({folder}), so the stage failed: ")


@pytest.mark.fault(
    "The disk of MLflow's store is full or read-only",
    "the stages run, one warning names the store and says why; `provenn sync` adds the runs once there is room",
)
@pytest.mark.parametrize("option", ["rw", "ro"])
def test_a_full_or_read_only_store_costs_no_result(sleeping, full_disk, option):
    folder = sleeping.root / "mlruns"
    sleeping.define({"a": stage("a")})
    subprocess.run(["mount", "-o", f"remount,{option}", full_disk], check=True)
    subprocess.run(["mount", "--bind", full_disk, folder], check=True)
    try:
        said = sleeping.provenn("repro").stdout
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
    (warning,) = [line for line in said.splitlines() if "tracking is behind" in line]
    assert "mlruns" in warning
    assert "`provenn sync` adds the run later" in warning
    assert "full" in warning or "Read-only" in warning or "No space" in warning or "unable to open" in warning, warning
    assert (sleeping.root / "a.txt").read_text() == WHOLE
    sleeping.provenn("sync")
    assert sleeping.run_of("a").info.status == "FINISHED"
