"""A power cut at any moment of a write, on a model of a file system that keeps only what was flushed to disk."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest
from repository import IDENTITY

from provenn.cut_lock import restore_cut_locks
from provenn.files import write_bytes

OLD, NEW = b"what was there before\n", b"what is written, and longer than that\n"


@dataclass(frozen=True)
class Step:
    """What was asked of the system: a write (content), a flush, a rename (to), a removal; the folder is named `.`."""

    what: str
    name: str
    content: bytes = b""
    to: str = ""


@contextmanager
def traced(folder: Path) -> Iterator[list[Step]]:
    """Yield the list of steps that are made in a folder, its first content included."""
    steps: list[Step] = []
    seen: dict[str, bytes] = {}

    def look() -> None:
        for path in sorted(folder.iterdir()):
            if path.is_file() and seen.get(path.name) != path.read_bytes():
                seen[path.name] = path.read_bytes()
                steps.append(Step("write", path.name, seen[path.name]))

    def fsync(handle: int) -> None:
        look()
        same = (path for path in [folder, *folder.iterdir()] if os.path.samestat(path.stat(), os.fstat(handle)))
        steps.append(Step("flush", os.path.relpath(next(same), folder)))
        real["fsync"](handle)

    def replace(source: Path, target: Path) -> None:
        look()
        steps.append(Step("rename", Path(source).name, to=Path(target).name))
        seen[Path(target).name] = seen.pop(Path(source).name)
        real["replace"](source, target)

    def unlink(path: Path, **options: int) -> None:
        look()
        real["unlink"](path, **options)
        steps.append(Step("remove", Path(path).name))

    fakes: dict[str, Callable[..., None]] = {"fsync": fsync, "replace": replace, "rename": replace, "unlink": unlink}
    real = {name: getattr(os, name) for name in fakes}
    look()
    steps += [Step("flush", name) for name in [*seen, "."]]
    with mock.patch.multiple(os, **fakes):
        yield steps
    look()


@dataclass
class Content:
    """A file's bytes: as a process reads them, and as far as they are known to be on the disk."""

    now: bytes = b""
    flushed: bytes | None = None

    def after_a_cut(self) -> set[bytes]:
        """Return what may be read once the power is back."""
        if self.now == self.flushed:
            return {self.now}
        return {self.flushed or b"", self.now[: len(self.now) // 2], self.now}


@dataclass
class Disk:
    """A file system that may lose everything that was not flushed, contents and names apart from each other."""

    names: dict[str, Content] = field(default_factory=dict)
    histories: list[dict[str, Content]] = field(default_factory=lambda: [{}])  # since the folder was last flushed

    def make(self, step: Step) -> None:
        """Take one step."""
        if step.what == "flush" and step.name == ".":
            self.histories = [dict(self.names)]
        elif step.what == "flush":
            self.names[step.name].flushed = self.names[step.name].now
        elif step.what == "write":
            self.names.setdefault(step.name, Content()).now = step.content
        elif step.what == "rename":
            self.names[step.to] = self.names.pop(step.name)
        else:
            self.names.pop(step.name, None)
        self.histories.append(dict(self.names))

    def after_a_cut(self, *files: str) -> set[tuple[bytes | None, ...]]:
        """Return what files may hold, None where one is not there, once the power is back."""
        found: set[tuple[bytes | None, ...]] = set()
        for names in self.histories:
            states: set[tuple[bytes | None, ...]] = {()}
            for file in files:
                may_be = names[file].after_a_cut() if file in names else {None}
                states = {(*state, content) for state in states for content in may_be}
            found |= states
        return found


def cuts(steps: list[Step], *files: str) -> list[set[tuple[bytes | None, ...]]]:
    """Return what files may hold after a power cut behind each step, from the first on that flushed the folder."""
    disk, found = Disk(), []
    begin = steps.index(Step("flush", "."))
    for number, step in enumerate(steps):
        disk.make(step)
        if number >= begin:
            found.append(disk.after_a_cut(*files))
    return found


@pytest.fixture
def steps(tmp_path: Path) -> list[Step]:
    """The steps of one write over an older file."""
    (tmp_path / "file").write_bytes(OLD)
    with traced(tmp_path) as made:
        write_bytes(tmp_path / "file", NEW)
    return made


@pytest.mark.fault("The power fails at any moment while a file is written", "it is the old one or the new one, whole")
def test_a_written_file_is_old_or_new_and_new_once_the_write_has_returned(steps):
    states = cuts(steps, "file")
    assert len(states) >= 5
    assert set().union(*states) == {(OLD,), (NEW,)}
    assert states[-1] == {(NEW,)}


def test_the_model_finds_a_write_whose_content_is_not_flushed_before_its_name(steps):
    (flush,) = (step for step in steps if step.what == "flush" and step.name.startswith(".file."))
    states = cuts([step for step in steps if step != flush], "file")
    assert (b"",) in set().union(*states)


def test_the_model_finds_a_write_whose_name_is_not_flushed(steps):
    assert steps[-2].what == "flush" or steps[-1].what == "flush"
    last = max(number for number, step in enumerate(steps) if step == Step("flush", "."))
    assert cuts(steps[:last] + steps[last + 1 :], "file")[-1] == {(OLD,), (NEW,)}


@pytest.mark.fault(
    "The power fails at any moment while a cut dvc.lock is put back from git", "it is still cut, or whole again"
)
def test_a_lock_that_is_put_back_is_never_lost_nor_is_what_was_left_of_it(tmp_path):
    whole = "schema: '2.0'\nstages:\n  a:\n    cmd: 'true'\n"
    lock = tmp_path / "dvc.lock"
    lock.write_text(whole)
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "Lock"]):
        subprocess.run(["git", *IDENTITY, *command], cwd=tmp_path, check=True)
    lock.write_text(whole[:20])
    with traced(tmp_path) as made:
        restore_cut_locks(tmp_path)
    cut = whole[:20].encode()
    states = cuts(made, "dvc.lock", "dvc.lock.damaged")
    assert states[-1] == {(whole.encode(), cut)}
    for lock_is, left in set().union(*states):
        assert lock_is == cut or (lock_is == whole.encode() and left == cut)
