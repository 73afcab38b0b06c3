"""What changed in what stages read, and what became of the stages: digests and values alone, no file is opened."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenn.addresses import shown_uri
from provenn.entry import Entry, is_outside
from provenn.report.side import NOTHING, Side
from provenn.repository import SOURCE_SUFFIXES, git

NEW, REMOVED, CHANGED, EQUAL, STALE = "new", "removed", "changed", "equal", "stale"


@dataclass(frozen=True)
class Parameter:
    """A parameter with another value, as text; None where there is none. `stages` read it."""

    name: str
    before: str | None
    after: str | None
    stages: list[str]


@dataclass
class Source:
    """Code or data with another content: the changed `files` that git knows, who reads it, and all that it reaches."""

    path: str
    kind: str  # "data" is what DVC keeps or lies outside; of the rest "file" is what is no source
    state: str
    files: list[str]
    readers: list[str] = field(default_factory=list)
    reaches: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Stage:
    """A stage that is new, removed or stale, or that has run again, with a changed or an equal result; and why."""

    name: str
    state: str
    why: list[str]


def parameters(base: Side, head: Side) -> list[Parameter]:
    """Return the parameters that a stage of both sides reads and that are not the same, removed and new ones too."""
    found: dict[tuple[str, str | None, str | None], list[str]] = {}
    for name, before, after in _in_both(base, head):
        old, new = before.flat_params(), after.flat_params()
        for parameter in [*old, *(key for key in new if key not in old)]:
            change = _shown(old, parameter), _shown(new, parameter)
            if change[0] != change[1]:
                found.setdefault((parameter, *change), []).append(name)
    return [Parameter(*change, stages) for change, stages in found.items()]


def sources(base: Side, head: Side) -> list[Source]:
    """Return the code and data, not the outputs of stages, whose content is not the same."""
    made = {out for side in (base, head) for stage in side.stages.values() if stage.command for out in stage.outs}
    found: dict[str, Source] = {}

    def is_made(path: str) -> bool:
        return any(f"{path}/".startswith(f"{out}/") for out in made)

    edited = [file for file in _edited(base, head) if not is_made(file)]

    def add(path: str, reader: Entry, before: str | None, after: str | None) -> None:
        if before == after or is_made(path):
            return
        files = [file for file in edited if file.startswith(f"{path}/")]
        if not files and any(out.startswith(f"{path}/") for out in made):
            return  # a folder in which outputs alone changed
        if path not in found:
            state = REMOVED if not after else NEW if not before else CHANGED
            kept = not reader.command or path in reader.tracked or is_outside(path)
            kind = "data" if kept else "code" if Path(path).suffix.lower() in {"", *SOURCE_SUFFIXES} else "file"
            found[path] = Source(shown_uri(path), kind, state, files)
        if reader.command:
            found[path].readers.append(reader.name)

    known = {path for entry in base.entries.values() for path in (entry.deps | entry.outs)}
    for name, after in head.stages.items():
        before = base.entries.get(name, NOTHING)
        read, was_read = (stage.deps if stage.command else stage.outs for stage in (after, before))
        for path in [*read, *(path for path in was_read if path not in read)]:
            if before is not NOTHING or path not in known:
                add(path, after, was_read.get(path), read.get(path))
    for source in found.values():
        source.reaches = sorted(set(source.readers) | _after(head, source.readers))
    return list(found.values())


def stages(base: Side, head: Side) -> list[Stage]:
    """Return the stages that are not as they were; those whose key and result are the same are left out."""
    found = []
    stale = stale_stages(head)
    for name, now in head.stages.items():
        before, after = base.entries.get(name), head.entries.get(name)
        if not now.command:
            continue
        if name in stale:
            found.append(Stage(name, STALE, stale[name]))
        elif before is None or after is None:
            found.append(Stage(name, NEW, []))
        elif before.outs != after.outs:
            why = _why(before, after) or [
                "nothing that it declares: it is not deterministic, or the machine is another"
            ]
            found.append(Stage(name, CHANGED, why))
        elif before.key != after.key:
            found.append(Stage(name, EQUAL, _why(before, after)))
    gone = [name for name, entry in base.entries.items() if entry.command and name not in head.stages]
    return found + [Stage(name, REMOVED, []) for name in gone]


def stale_stages(side: Side) -> dict[str, list[str]]:
    """Return the stages whose results are not those of what they read now, and why."""
    own: dict[str, list[str]] = {}
    for name, now in side.stages.items():
        entry = side.entries.get(name)
        if not now.command:
            continue
        if entry is None:
            own[name] = ["it has not run yet"]
        elif why := _why(entry, now) + [f"output {path}" for path in sorted(now.outs.keys() ^ entry.outs.keys())]:
            own[name] = why
    return own | {name: ["it reads what a stale stage makes"] for name in _after(side, own) - own.keys()}


def _why(before: Entry, after: Entry) -> list[str]:
    command = ["command"] if before.command != after.command else []
    old, new = before.flat_params(), after.flat_params()
    changed = [f"parameter {name}" for name in dict.fromkeys([*old, *new]) if _shown(old, name) != _shown(new, name)]
    deps = dict.fromkeys([*before.deps, *after.deps])
    return [*command, *changed, *(shown_uri(path) for path in deps if before.deps.get(path) != after.deps.get(path))]


def _in_both(base: Side, head: Side) -> Iterable[tuple[str, Entry, Entry]]:
    return ((name, base.entries[name], after) for name, after in head.stages.items() if name in base.entries)


def _after(side: Side, names: Iterable[str]) -> set[str]:
    """Return all stages that need one of these, directly or not."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        waiting = {name for name, needed in side.needs.items() if needed & waiting} - found
        found |= waiting
    return found


def _shown(values: Mapping[str, Any], name: str) -> str | None:
    """Return a value as text; what stays equal in JSON, as DVC compares it, stays equal."""
    if name not in values:
        return None
    value = values[name]
    return shown_uri(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))


def _edited(base: Side, head: Side) -> list[str]:
    commits = [commit for commit in (base.commit, head.commit) if commit]
    listed = git("diff", "--name-only", "--relative", "-z", *commits, root=head.root)
    return sorted(filter(None, (listed or "").split("\0")))
