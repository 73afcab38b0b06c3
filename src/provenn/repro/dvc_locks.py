"""DVC's lock files around a parallel run: mended where a killed process left them broken, and in serial order."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from provenn.files import UserError, write_bytes
from provenn.lock import stages_in

CONFLICT = "<<<<<<<"
KEPT = 8  # contents of a lock file; each stage that ends adds one
PATIENCE_SECONDS = 600.0  # for what must be written, whatever DVC is saving meanwhile


@contextmanager
def repository_locked(repo: Any, wait_s: float = 0.0) -> Iterator[None]:
    """Hold DVC's lock of the repository; raise UserError, with who holds it, when it stays taken for 3 s and longer.

    DVC itself holds it for as long as it takes to save a large output.
    """
    from dvc.lock import LockError

    deadline = time.monotonic() + wait_s
    while True:
        try:
            repo.lock.lock()
            break
        except LockError:
            if time.monotonic() < deadline:
                continue
            holder = _describe(_read_pid(Path(repo.tmp_dir) / "lock"))
            raise UserError(
                f"DVC's lock of {repo.root_dir} is held ({holder}): wait for that process, or end it."
            ) from None
    try:
        yield
    finally:
        repo.lock.unlock()


def mend_rwlock(repo: Any) -> None:
    """Remove what a dead process left in `.dvc/tmp/rwlock`; DVC refuses every stage while the file is damaged.

    DVC itself drops entries of processes that are gone, but takes a new process with an old number for the same one.
    """
    path = Path(repo.tmp_dir) / "rwlock"
    with repository_locked(repo), suppress(FileNotFoundError):
        try:
            content = json.loads(path.read_bytes())
            readers = {
                file: [info for info in infos if _alive(info)] for file, infos in content.get("read", {}).items()
            }
            writers = {file: info for file, info in content.get("write", {}).items() if _alive(info)}
        except (ValueError, AttributeError, KeyError, TypeError):
            path.unlink()
            return
        mended = {"write": writers, "read": {file: infos for file, infos in readers.items() if infos}}
        if mended != {"write": content.get("write", {}), "read": content.get("read", {})}:
            write_bytes(path, json.dumps(mended).encode())


def blockers(repo: Any) -> str:
    """Return a description of the processes that hold files of the pipeline."""
    try:
        content = json.loads((Path(repo.tmp_dir) / "rwlock").read_bytes())
        infos = [
            *content.get("write", {}).values(),
            *(info for infos in content.get("read", {}).values() for info in infos),
        ]
        return "; ".join(_describe(pid) for pid in sorted({int(info["pid"]) for info in infos})) or "gone by now"
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return "unknown"


class LockFiles:
    """Every dvc.lock during a parallel run: the order of its stages, and its last contents should it be cut."""

    def __init__(self, repo: Any, plan: Mapping[str, Any], earlier: Mapping[str, str | None]) -> None:
        """Take the lock files of a `plan`; `earlier` has those of before an unfinished run, with which this goes on."""
        self.repo = repo
        self._plan: dict[Path, list[str]] = {}
        for stage in plan.values():
            if getattr(stage, "name", None):
                self._plan.setdefault(Path(stage.path).with_name("dvc.lock"), []).append(stage.name)
        # None of a file that was not there.
        self.before = {self._name(path): _text(path) for path in self._plan} | dict(earlier)
        self._contents: dict[Path, list[str]] = {path: [] for path in self._plan}
        self.remember()

    def remember(self) -> None:
        """Keep the present contents; whether they are whole is only looked at when it is needed."""
        for path, contents in self._contents.items():
            if (text := _text(path)) is not None:
                contents.append(text)
                del contents[:-KEPT]

    def forget_earlier(self) -> None:
        """Keep nothing but the present contents, out of which a stage was taken on purpose."""
        for contents in self._contents.values():
            contents.clear()
        self.remember()

    def restore_if_cut(self) -> list[str]:
        """Put back the last whole content where a process was killed while it wrote; return the files' names."""
        restored = []
        with repository_locked(self.repo):
            for path, contents in self._contents.items():
                # A run only adds stages, so the content with the most of them is the whole one; it may itself have
                # been read while DVC wrote.
                stages = [len(_stages(content) or ()) for content in contents]
                most = max(range(len(stages)), key=lambda number: (stages[number], number), default=None)
                whole = contents[most] if most is not None and stages[most] else self.before[self._name(path)]
                if put_back(path, whole):
                    restored.append(self._name(path))
        return restored

    def order(self) -> None:
        """Put the stages in the order that a serial `dvc repro` gives: those of before, then new ones as they ran."""
        from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

        with repository_locked(self.repo, PATIENCE_SECONDS):
            for path, plan in self._plan.items():
                present = _stages(_text(path)) or {}
                before = _stages(self.before[self._name(path)]) or ()
                rank = {name: number for number, name in enumerate(dict.fromkeys([*before, *plan]))}
                ordered = sorted(present, key=lambda name: rank.get(name, len(rank)))
                if ordered == list(present):
                    continue
                content = parse_yaml_for_update(path.read_text(encoding="utf-8"), str(path))
                for name in ordered:
                    content["stages"].move_to_end(name)
                write_bytes(path, dumps_yaml(content).encode())

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self.repo.root_dir)


def put_back(path: Path, whole: str | None) -> bool:
    """Write a lock file as it was, or remove it if it was not there, when it is cut; return whether it was.

    Cut is also one that is valid, but has lost stages that dvc.yaml still speaks of: a run only adds some.
    """
    present = _text(path)
    if present is None or CONFLICT in present:  # removed, or left by git for the user to solve
        return False
    stages = _stages(present)
    defined = _text(path.with_name("dvc.yaml")) or ""
    lost = (_stages(whole) or {}).keys() - (stages or {}).keys()
    if stages is not None and not any(name.partition("@")[0] in defined for name in lost):
        return False
    if whole is None:
        path.unlink()
    else:
        write_bytes(path, whole.encode("utf-8", "surrogateescape"))
    return True


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None


def _stages(text: str | None) -> dict[str, Any] | None:
    """Return the stages of a lock file; None when it is not a whole one, were it cut behind a stage's name."""
    try:
        stages = stages_in(text or "")
    except Exception:  # an error of the parser, or a shape that no lock has
        return None
    return stages if text and text.endswith("\n") else None


def _alive(info: dict[str, Any]) -> bool:
    """Tell whether the process of an entry runs, and is the one that made it, not a later one with its number."""
    arguments = info["cmd"].partition(" ")[2]
    try:
        return arguments in " ".join(psutil.Process(int(info["pid"])).cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _describe(pid: int | None) -> str:
    if pid is None:
        return "the process is unknown"
    try:
        process = psutil.Process(pid)
        since = time.strftime("%H:%M:%S", time.localtime(process.create_time()))
        return f"process {pid}, `{' '.join(process.cmdline())[:120]}`, since {since}"
    except psutil.Error:
        return f"process {pid}"


def _read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
