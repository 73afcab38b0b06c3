"""`provenn lineage`: from any result back to its commit, data and parameters, and forward to metrics and export."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from provenn.pipeline.contents import Contents
from provenn.pipeline.locks import producers
from provenn.pipeline.targets import Target, find_target
from provenn.tracking import projection
from provenn.tracking.entry import StageEntry, directory_digest

KINDS = {"data": "data", "models": "model", "results": "result", "src": "code", "stages": "code"}


def trace(name: str, root: Path) -> dict[str, Any]:
    """Return the chain of a run, file or registered model as plain values, and under `unknown` what is not known.

    Raises UserError when the target is unknown.
    """
    target = find_target(name, root)
    contents = Contents(root, target.lock)
    unknown = list(target.unknown)
    entry, run = target.entry, target.run
    return {
        "target": name,
        "commit": {"id": target.commit, "dirty": target.dirty, "patch": target.patch is not None},
        "stage": {"name": entry.name, "description": entry.description, "command": entry.command, "key": entry.key},
        "parameters": run.parameters if run else projection.parameters_of(entry),
        "dependencies": _dependencies(entry, target.lock, contents, unknown),
        "outputs": [_file(path, value, contents, unknown) for path, value in entry.outs.items()],
        "run": run and {"id": run.id, "status": run.status, "restored": "provenn.restored" in run.tags},
        "platform": run.tags.get("numeric.platform") if run else None,
        "models": run.models if run else [],
        "metrics": run.metrics if run else {},
        "export": _export(target, contents),
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
    stage.add(escape(chain["stage"]["command"]))
    _add_dependencies(stage.add("read"), chain["dependencies"], set())
    parameters = stage.add("parameters")
    for name, value in chain["parameters"].items():
        parameters.add(escape(f"{name} = {value}"))
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
    if chain["export"]:
        tree.add(f"exported as {_line(chain['export'])}")
    for version in chain["registered"]:
        tree.add(f"registered as {escape(version)}")
    if chain["unknown"]:
        unknown = tree.add("[yellow]not known[/]")
        for sentence in chain["unknown"]:
            unknown.add(escape(sentence))
    return tree


def _dependencies(
    entry: StageEntry, lock: Mapping[str, StageEntry], contents: Contents, unknown: list[str]
) -> list[dict[str, Any]]:
    """Return what a stage read, and for what stages made, what these read, down to the code and the raw data."""
    found = []
    for path, value in entry.deps.items():
        dependency = _file(path, value, contents, unknown) | {"made_by": []}
        made = _makers(lock, path, value)
        if made is None:
            unknown.append(f"who made {path} as {entry.name} read it: dvc.lock has another content by now")
        for producer in made or []:
            before = [] if dependency["kind"] == "code" else _dependencies(producer, lock, contents, unknown)
            dependency["made_by"].append({"stage": producer.name, "key": producer.key, "dependencies": before})
        found.append(dependency)
    return found


def _makers(lock: Mapping[str, StageEntry], path: str, value: str) -> list[StageEntry] | None:
    """Return the stages that made this content of a path; None when they made another since."""
    made = producers(lock, path)
    if not made:
        return []
    if path in made:
        return [made[path]] if made[path].outs[path] == value else None
    inside = {out: entry.outs[out] for out, entry in made.items() if out.startswith(f"{path}/")}
    if inside:
        same = directory_digest({out.removeprefix(f"{path}/"): digest for out, digest in inside.items()}) == value
        return list({made[out].name: made[out] for out in inside}.values()) if same else None
    return list(made.values())


def _file(path: str, value: str, contents: Contents, unknown: list[str]) -> dict[str, Any]:
    where = contents.where(path, value)
    if where is None:
        unknown.append(
            f"the content of {path} ({value}): neither here, nor in the cache, nor in git; `dvc pull` may bring it"
        )
    return {"path": path, "digest": value, "kind": KINDS.get(Path(path).parts[0], "settings"), "where": where}


def _export(target: Target, contents: Contents) -> dict[str, Any] | None:
    """Return the exported file that was made of the target's model, if it is the champion of its task."""
    task, model = projection.task_of(target.entry), projection.model_path(target.entry)
    export = target.lock.get(f"export_model@{task}")
    if not export or not model or export.name == target.entry.name:
        return None
    champion = f"results/evaluate/{task}/champion.json"
    if (
        export.deps.get(champion) is None
        or _makers(target.lock, f"models/{task}", export.deps[f"models/{task}"]) is None
    ):
        return None
    text = contents.read(champion, export.deps[champion])
    if text is None or json.loads(text)["model"] != Path(model).stem:
        return None
    path = projection.model_path(export) or ""
    return _file(path, export.outs[path], contents, [])


def _add_dependencies(tree: Tree, dependencies: list[dict[str, Any]], shown: set[str], *, first: bool = True) -> None:
    for dependency in dependencies:
        # Code and settings of the stages before would hide the data.
        if not first and dependency["kind"] in ("code", "settings"):
            continue
        branch = tree.add(_line(dependency))
        for producer in dependency["made_by"]:
            again = producer["key"] in shown
            name = f"made by [bold]{escape(producer['stage'])}[/]  key {producer['key'][:12]}"
            stage = branch.add(f"{name}, as above" if again else name)
            if not again:
                shown.add(producer["key"])
                _add_dependencies(stage, producer["dependencies"], shown, first=False)


def _line(file: Mapping[str, Any]) -> str:
    where = f"in {file['where']}" if file["where"] else "[yellow]nowhere[/]"
    return f"{escape(file['path'])}  [dim]{file['digest']}[/]  {where}"
