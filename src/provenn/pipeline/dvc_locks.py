"""DVC's lock files around a parallel run: mended where a killed process left them broken, and in serial order."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from provenn.files import UserError, write_bytes


@contextmanager
def repository_locked(repo: Any) -> Iterator[None]:
    """Hold DVC's lock of the repository; raise UserError, with who holds it, when it stays taken for 3 s."""
    from dvc.lock import LockError

    try:
        repo.lock.lock()
    except LockError:
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


class LockFile:
    """`dvc.lock` during a parallel run: its stages' order, and its last contents in case a killed process cut it."""

    def __init__(self, repo: Any) -> None:
        self.repo = repo
        self.path = Path(repo.root_dir) / "dvc.lock"
        self._before = list(self._stages() or ())
        self._contents: list[bytes] = []
        self.remember()

    def remember(self) -> None:
        """Keep the present content; whether it is whole is only looked at when it is needed."""
        with suppress(FileNotFoundError):
            self._contents.append(self.path.read_bytes())

    def restore_if_cut(self) -> bool:
        """Put back the last whole content where a process was killed while it wrote; tell whether that was so."""
        # A run only adds stages, so the content with the most of them is the whole one; it may itself have been read
        # while DVC wrote.
        stages = [set(self._stages(content) or ()) for content in self._contents]
        whole = max(range(len(stages)), key=lambda number: (len(stages[number]), number), default=None)
        if whole is None or stages[whole] <= set(self._stages() or ()):
            return False
        write_bytes(self.path, self._contents[whole])
        return True

    def order(self, plan: Sequence[str]) -> None:
        """Put the stages in the order that a serial `dvc repro` gives: those of before, then new ones as they ran."""
        from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

        with repository_locked(self.repo):
            present = self._stages() or {}
            # `plan` names a stage of another folder's dvc.yaml by its path: that one has a lock file of its own.
            rank = {name: number for number, name in enumerate(dict.fromkeys([*self._before, *plan]))}
            ordered = sorted(present, key=lambda name: rank.get(name, len(rank)))
            if ordered == list(present):
                return
            content = parse_yaml_for_update(self.path.read_text(encoding="utf-8"), str(self.path))
            stages = content["stages"]
            for name in ordered:
                stages.move_to_end(name)
            write_bytes(self.path, dumps_yaml(content).encode())

    def _stages(self, content: bytes | None = None) -> dict[str, Any] | None:
        """Return the stages of `content`, or of the file; None when it is not a whole lock file."""
        from dvc.utils.serialize import YAMLFileCorruptedError, parse_yaml

        try:
            text = (self.path.read_bytes() if content is None else content).decode()
            parsed = parse_yaml(text, str(self.path))
        except (FileNotFoundError, UnicodeDecodeError, YAMLFileCorruptedError):
            return None
        stages = parsed.get("stages") if isinstance(parsed, dict) else None
        return stages if isinstance(stages, dict) and text.endswith("\n") else None


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
