"""A dvc.lock that a power cut or a full disk left torn: recognised, set aside, and put back from git."""

from pathlib import Path
from typing import Any

from provenn.fast_yaml import parse_yaml
from provenn.files import UserError, write_bytes
from provenn.repository import git

LOCK = "dvc.lock"


def refuse_cut_locks(root: Path) -> None:
    """Raise UserError when a dvc.lock of the working folder is cut: nothing agrees with what is not there."""
    for path in _lock_files(root):
        if reason := _cut(root, path):
            raise UserError(f"{path} is cut ({reason}): `provenn repro` puts it back from git, or says what to do.")


def restore_cut_locks(root: Path) -> list[str]:
    """Put back from git's HEAD each dvc.lock that is cut; return a line for each.

    What was left of it stays beside it. Raises UserError when git has none that is whole. DVC must not be writing.
    """
    told = []
    for path in _lock_files(root):
        reason = _cut(root, path)
        if not reason:
            continue
        committed = _committed(root, path)
        if committed is None or _not_whole(committed):
            raise UserError(
                f"{path} is cut ({reason}), and git's HEAD has no whole one: move it away with `mv {path} "
                f"{path}.damaged`, then `provenn repro` takes from DVC's cache what is there and runs the rest."
            )
        kept = _free_name(root, f"{path}.damaged")
        write_bytes(root / kept, (root / path).read_bytes())  # not moved: a power cut would leave none at all
        write_bytes(root / path, committed)
        told.append(f"{path} was cut ({reason}): git's last one is put back; what was left of it is in {kept}.")
    return told


def _cut(root: Path, path: str) -> str:
    """Return why a lock file is not whole; empty when it is, is not there, or git left a conflict in it."""
    if not (root / path).is_file():
        return ""
    content = (root / path).read_bytes()
    if b"<<<<<<<" in content:
        return ""
    if reason := _not_whole(content):
        return reason
    if content.endswith(b"\n"):
        return ""
    committed = _committed(root, path) or b""
    return "it ends in the middle of a line" if len(content) < len(committed) and committed.startswith(content) else ""


def _not_whole(content: bytes) -> str:
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid
    from yaml import YAMLError

    if not content.strip(b"\0 \r\n"):
        return "it is empty"
    try:
        parsed = parse_yaml(content.decode())
        if not _is_old(parsed):
            COMPILED_LOCKFILE_SCHEMA(parsed)
    except (UnicodeDecodeError, YAMLError):
        return "it is no YAML"
    except Invalid:
        return "it has no whole list of stages"
    return ""


def _is_old(parsed: Any) -> bool:
    """Tell whether a lock is one of DVC 1, which wrote the stages alone."""
    return isinstance(parsed, dict) and all(isinstance(stage, dict) and "cmd" in stage for stage in parsed.values())


def _committed(root: Path, path: str) -> bytes | None:
    text = git("show", f"HEAD:./{path}", root=root)
    return None if text is None else text.encode("utf-8", "surrogateescape")


def _lock_files(root: Path) -> list[str]:
    """Return the lock file at the root and those that git knows, without those of DVC repositories further down."""
    known = (git("ls-files", "-z", "--", ":(glob)**/dvc.lock", root=root) or "").split("\0")
    paths = dict.fromkeys([LOCK, *filter(None, known)])
    return [path for path in paths if not any((root / folder / ".dvc").is_dir() for folder in _folders(path))]


def _folders(path: str) -> list[Path]:
    return [folder for folder in Path(path).parents if folder != Path()]


def _free_name(root: Path, name: str) -> str:
    number = 1
    free = name
    while (root / free).exists():
        number += 1
        free = f"{name}.{number}"
    return free
