"""DVC's cache: the entries of the run cache and the objects that nothing needs."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from provenn.fast_yaml import parse_yaml
from provenn.garbage.needed import DIGEST, Needed
from provenn.repro.damaged import set_aside

LEFT = ".tmp"  # DVC writes under such a name before it renames: one that nobody writes is of a DVC that was killed


def caches(repo: Any) -> list[Path]:
    """Return DVC's folders of objects: since DVC 3 below files/md5; what an earlier one wrote stays where it was."""
    return list(dict.fromkeys([Path(repo.cache.local.path), Path(repo.cache.legacy.path)]))


def unneeded_runs(repo: Any, needed: Needed) -> list[Path]:
    """Return the entries of the run cache that nothing needs; what the others restore is added to `needed`.

    An entry is needed when a lock has its key, so that another result of the same inputs can still be restored, or when
    all its outputs are needed in any case. DVC must not be writing.
    """
    outputs = {path: _outputs(path) for path in sorted(Path(repo.stage_cache.cache_dir).glob("??/*/*"))}
    of_locks = {path for path in outputs if path.parent.name in needed.run_keys and outputs[path]}
    needed.digests.update(digest for path in of_locks for digest in outputs[path])
    return [path for path, outs in outputs.items() if path not in of_locks and not (outs and outs <= needed.digests)]


def remove_runs(repo: Any, entries: list[Path]) -> None:
    """Remove entries of the run cache.

    DVC fails on a key's folder without an entry: one that loses all leaves as a whole, to where damaged ones are.
    """
    gone = set(entries)
    for folder in dict.fromkeys(path.parent for path in entries):
        if gone.issuperset(folder.iterdir()):
            set_aside(Path(repo.root_dir), folder)
    for path in entries:
        path.unlink(missing_ok=True)


def unneeded_objects(repo: Any, needed: Needed) -> list[Path]:
    """Return the objects that nothing needs, those of folders first: none is left without its files half-way.

    What a DVC that was killed left of one is among them. DVC must not be writing.
    """
    for digest in [digest for digest in needed.digests if digest.endswith(".dir")]:
        for cache in caches(repo):
            with suppress(OSError):
                listing = Path(cache, digest[:2], digest[2:]).read_text(encoding="utf-8", errors="replace")
                needed.digests.update(DIGEST.findall(listing))
    found = [path for cache in caches(repo) for path in sorted(cache.glob("[0-9a-f][0-9a-f]/*")) if path.is_file()]
    objects = [path for path in found if DIGEST.fullmatch(path.parent.name + path.name)]
    unneeded = [path for path in objects if path.parent.name + path.name not in needed.digests]
    left = [path for path in found if path.suffix == LEFT]
    return sorted(unneeded, key=lambda path: path.suffix != ".dir") + left


def _outputs(entry: Path) -> set[str]:
    """Return the digests of an entry's outputs; none of one that is cut or never got its name."""
    if entry.suffix == LEFT:
        return set()
    with suppress(Exception):  # of YAML, or a shape that no entry has
        return {str(out["md5"]) for out in parse_yaml(entry.read_text(encoding="utf-8"))["outs"]}
    return set()
