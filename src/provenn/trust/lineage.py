"""`provenn lineage`: from any result back to its commit, data and parameters, and forward to what was made of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from provenn.contents import Contents
from provenn.entry import Entry, holds, is_outside, producers
from provenn.trust.targets import find_target
from provenn.view.run import RESTORED, parameters


def trace(name: str, root: Path) -> dict[str, Any]:
    """Return the chain of a run, stage, file or registered model as plain values; `unknown` is what is not known.

    Raises UserError when the target is unknown.
    """
    target = find_target(name, root)
    contents = Contents(root, target.entries)
    unknown = list(target.unknown)
    entry, run = target.entry, target.run
    return {
        "target": name,
        "commit": {"id": target.commit, "dirty": target.dirty, "patch": target.patch is not None},
        "stage": {"name": entry.name, "description": entry.description, "command": entry.command, "key": entry.key},
        "parameters": run.parameters if run else parameters(entry),
        "dependencies": _dependencies(entry, target.entries, contents, unknown),
        "outputs": [_file(path, value, contents, unknown) for path, value in entry.outs.items()],
        "run": run and {"id": run.id, "status": run.status, "restored": RESTORED in run.tags},
        "platform": run.tags.get("numeric.platform") if run else None,
        "models": run.models if run else [],
        "metrics": run.metrics if run else {},
        "used_by": _readers(entry, target.entries, {entry.name}),
        "registered": run.registered if run else [],
        "unknown": list(dict.fromkeys(unknown)),
    }


def as_tree(chain: Mapping[str, Any]) -> Tree:
    """Return the chain as a tree for a terminal."""
    commit = chain["commit"]
    state = {True: "with uncommitted changes", False: "clean", None: ""}[commit["dirty"]]
    tree = Tree(f"[bold]{escape(chain['target'])}[/]")
    carried = ", which the run carries" if commit["patch"] else ""
    tree.add(f"commit {commit['id'] or 'unknown'} {state}{carried}".rstrip())
    stage = tree.add(f"stage [bold]{escape(chain['stage']['name'])}[/]  key {chain['stage']['key'][:12]}")
    stage.add(escape(chain["stage"]["command"] or "a file that DVC tracks"))
    _add_dependencies(stage.add("read"), chain["dependencies"], set())
    settings = stage.add("parameters")
    for name, value in chain["parameters"].items():
        settings.add(escape(f"{name} = {value}"))
    run = chain["run"]
    shown = tree.add(
        f"run {run['id']} {run['status']}{' (restored)' if run['restored'] else ''}" if run else "run unknown"
    )
    shown.add(f"platform {escape(chain['platform'] or 'unknown')}")
    for model in chain["models"]:
        shown.add(f"model {escape(model)}")
    metrics = shown.add("metrics")
    for name, value in chain["metrics"].items():
        metrics.add(f"{escape(name)} = {value:.6g}")
    made = tree.add("made")
    for out in chain["outputs"]:
        made.add(_line(out))
    if chain["used_by"]:
        _add_readers(tree.add("used by"), chain["used_by"])
    for version in chain["registered"]:
        tree.add(f"registered as {escape(version)}")
    if chain["unknown"]:
        unknown = tree.add("[yellow]not known[/]")
        for sentence in chain["unknown"]:
            unknown.add(escape(sentence))
    return tree


def _dependencies(
    entry: Entry, entries: Mapping[str, Entry], contents: Contents, unknown: list[str]
) -> list[dict[str, Any]]:
    """Return what a stage read, and for what stages made, what these read, down to the code and the raw data."""
    found = []
    for path, value in entry.deps.items():
        kind = "data" if path in entry.tracked else "source"
        dependency = _file(path, value, contents, unknown) | {"kind": kind, "made_by": []}
        made = _makers(entries, path, value)
        if made is None:
            unknown.append(f"who made {path} as {entry.name} read it: dvc.lock has another content by now")
        for producer in made or []:
            before = _dependencies(producer, entries, contents, unknown)
            dependency["made_by"].append({"stage": producer.name, "key": producer.key, "dependencies": before})
        found.append(dependency)
    return found


def _makers(entries: Mapping[str, Entry], path: str, value: str) -> list[Entry] | None:
    """Return the stages that made this content of a path; None when they made another since."""
    made = producers(entries, path)
    if not made:
        return []
    if path in made:
        return [made[path]] if made[path].outs[path] == value else None
    inside = {out: entry.outs[out] for out, entry in made.items() if out.startswith(f"{path}/")}
    if inside:
        makers = {made[out].name: made[out] for out in inside}
        root = next(iter(makers.values())).root
        return list(makers.values()) if holds(root, path, inside, value) else None
    return list(made.values())


def _readers(entry: Entry, entries: Mapping[str, Entry], seen: set[str]) -> list[dict[str, Any]]:
    """Return the stages that read what a stage made, and what theirs became; each is named once."""
    found = []
    for reader in entries.values():
        read = [path for path, value in reader.deps.items() if entry in (_makers(entries, path, value) or [])]
        if read and reader.name not in seen:
            seen.add(reader.name)
            artifacts = [artifact.name for artifact in reader.artifacts.values()]
            found.append(
                {
                    "stage": reader.name,
                    "read": read,
                    "artifacts": artifacts,
                    "used_by": _readers(reader, entries, seen),
                }
            )
    return found


def _file(path: str, value: str, contents: Contents, unknown: list[str]) -> dict[str, Any]:
    outside = is_outside(path)
    where = "outside the repository" if outside else contents.where(path, value)
    if where is None:
        unknown.append(
            f"the content of {path} ({value}): neither here, nor in the cache, nor in git; `dvc pull` may bring it"
        )
    return {"path": path, "digest": value, "where": where}


def _add_dependencies(tree: Tree, dependencies: list[dict[str, Any]], shown: set[str], *, first: bool = True) -> None:
    for dependency in dependencies:
        # Sources of the stages before would hide the data.
        if not first and dependency["kind"] == "source":
            continue
        branch = tree.add(_line(dependency))
        for producer in dependency["made_by"]:
            again = producer["key"] in shown
            name = f"made by [bold]{escape(producer['stage'])}[/]  key {producer['key'][:12]}"
            stage = branch.add(f"{name}, as above" if again else name)
            if not again:
                shown.add(producer["key"])
                _add_dependencies(stage, producer["dependencies"], shown, first=False)


def _add_readers(tree: Tree, readers: list[dict[str, Any]]) -> None:
    for reader in readers:
        artifacts = f", which made the artifact {', '.join(reader['artifacts'])}" if reader["artifacts"] else ""
        branch = tree.add(f"[bold]{escape(reader['stage'])}[/]{escape(artifacts)}")
        _add_readers(branch, reader["used_by"])


def _line(file: Mapping[str, Any]) -> str:
    where = f"in {file['where']}" if file["where"] else "[yellow]nowhere[/]"
    return f"{escape(file['path'])}  [dim]{file['digest']}[/]  {where}"
