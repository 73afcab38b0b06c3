"""Damaged parts of DVC's cache: set aside before DVC restores them, so that their stage runs again."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from provenn.contents import has_content
from provenn.fast_yaml import parse_yaml

ASIDE = Path(".dvc/tmp/provenn/damaged")  # below the root: nothing is deleted that somebody may still want to look at


def set_aside_damaged(repo: Any, stage: Any) -> list[str]:
    """Move what DVC would restore for a stage that has changed, and that is damaged, to ASIDE.

    DVC takes a read-only object for whole without a look. Only what it would now take from the cache is hashed. Returns
    a line for each thing that was moved.
    """
    from dvc.exceptions import DvcException
    from dvc.stage.cache import _can_hash, _get_stage_hash

    if not getattr(stage, "name", None):
        return []
    root = Path(repo.root_dir)
    as_recorded = [(dependency, dict(vars(dependency))) for dependency in stage.deps]
    told = []
    try:
        unchanged = not stage.changed_stage() and not any(dependency.status() for dependency in stage.deps)
        outs = [out for out in stage.outs if out.hash_info] if unchanged else []
        stage.save_deps()
        if not _can_hash(stage):  # nothing of it is ever restored
            return []
        runs = Path(repo.stage_cache._get_cache_dir(_get_stage_hash(stage)))
        for entry in sorted(runs.iterdir()) if runs.is_dir() else ():
            if not is_run_cache_entry(entry):
                kept = set_aside(root, entry)
                told.append(f"{stage.addressing}: its entry in the run cache was cut; it is set aside in {kept}.")
        if stored := repo.stage_cache._load(stage):
            outs += repo.stage_cache._create_stage(stored, wdir=stage.wdir).outs
        for path in dict.fromkeys(path for out in outs if out.status() for path in _objects(out)):
            if path.is_file() and not has_content(path, (path.parent.name + path.name).removesuffix(".dir")):
                kept = set_aside(root, path)
                told.append(
                    f"{stage.addressing}: an object in DVC's cache is damaged; it is set aside in {kept}, and the "
                    "stage runs again."
                )
    except (DvcException, OSError):  # such as a missing dependency: the stage's own process reports it
        pass
    finally:
        for dependency, values in as_recorded:
            vars(dependency).update(values)
    return told


def forget_wrong_sizes(stage: Any) -> list[str]:
    """Return the outputs of a stage that do not have the size in dvc.lock, though DVC takes them for unchanged.

    They came from a damaged object. A new time makes DVC look at their content again.
    """
    wrong = []
    for out in stage.outs if getattr(stage, "name", None) else ():
        size = getattr(out.meta, "size", None)
        if size is None or out.protocol != "local" or not out.hash_info:
            continue
        path = Path(out.fs_path)
        repo = stage.repo  # what .dvcignore names is no part of a folder
        files = [Path(file) for file in repo.dvcignore.find(repo.fs, str(path))] if path.is_dir() else [path]
        if sum(file.stat().st_size for file in files) != size:
            wrong.append(os.path.relpath(path, stage.repo.root_dir))
            for file in files:
                os.utime(file)
    return wrong


def is_run_cache_entry(path: Path) -> bool:
    """Tell whether a file is a whole entry of the run cache; DVC takes one whose end is missing for valid."""
    from dvc.schema import COMPILED_LOCK_FILE_STAGE_SCHEMA
    from voluptuous import Invalid
    from yaml import YAMLError

    try:
        text = path.read_text(encoding="utf-8")
        content = COMPILED_LOCK_FILE_STAGE_SCHEMA(parse_yaml(text))
    except (OSError, UnicodeDecodeError, YAMLError, Invalid):
        return False
    return bool(content.get("outs")) and text.endswith("\n")


def set_aside(root: Path, path: Path) -> Path:
    """Move a file or a folder to ASIDE, and return where it is now, seen from the root."""
    inside = path.relative_to(root) if path.is_relative_to(root) else path.relative_to(path.anchor)
    target = root / ASIDE / time.strftime("%Y%m%d-%H%M%S") / inside
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, target)
    with suppress(OSError):
        path.parent.rmdir()  # DVC fails on a folder of the run cache without an entry
    return target.relative_to(root)


def _objects(out: Any) -> Iterator[Path]:
    """Yield the cache's files of an output: its object, or a folder's list and the objects that are named there."""
    if out.protocol != "local" or not out.hash_info:
        return
    own = Path(out.cache.oid_to_path(out.hash_info.value))
    yield own
    if out.hash_info.isdir:
        with suppress(OSError, ValueError, TypeError, KeyError):
            for item in json.loads(own.read_bytes()):
                yield Path(out.cache.oid_to_path(item["md5"]))
