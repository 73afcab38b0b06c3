"""Pipelines as DVC defines them: every dvc.yaml and .dvc file, of the working folder or of a commit.

Everything that DVC knows as a stage is an entry; a .dvc file is one without a command.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from provenn.entry import Artifact, Entry, command_text, is_outside, joined, named_params, split_name
from provenn.fast_yaml import use_in_dvc
from provenn.files import UserError, one_line
from provenn.repository import git_root


def read_stages(root: Path, commit: str | None = None) -> dict[str, Entry]:
    """Return all stages that DVC sees, as they are defined; only .dvc files hold digests."""
    with _read(root, commit) as (_, entries):
        return entries


def read_now(root: Path, commit: str | None = None) -> dict[str, Entry]:
    """Return all stages as they are defined, with what they read as it is now, not as it was when they ran.

    So are parameters, and the digests of files that DVC does not keep; one that is not there has none. Of a frozen
    stage, which DVC never runs, it is what the lock records.
    """
    from dvc.dependency import ParamsDependency

    with _read(root, commit) as (stages, entries):
        digests: dict[str, str] = {}
        for stage in stages:
            entry = entries[_name(stage)]
            params: dict[str, Any] = {}
            deps = dict(entry.deps)
            for dep in stage.deps:
                path = _source(entry.folder, dep)
                if isinstance(dep, ParamsDependency):
                    values = dep.hash_info.value or {} if stage.frozen else dep.read_params()
                    params |= named_params(dep.def_path, values)
                elif not stage.frozen and path not in entry.tracked and not is_outside(path):
                    if path not in digests:
                        digests[path] = str(dep.get_hash().value) if dep.exists else ""
                    deps[path] = digests[path]
            entries[entry.name] = replace(entry, deps=deps, params=params)
        return entries


def read_running(root: Path, name: str) -> tuple[dict[str, Entry], Callable[[], dict[str, str]]]:
    """Return the stages of a stage's dvc.yaml, itself with what it reads as it is now, and a function for its outputs.

    The function digests them once they are written. DVC remembers digests by a file's time and inode, so that nothing
    is hashed twice. dvc.lock, which takes DVC longer to read than all the rest, is left alone.
    """
    from dvc.dvcfile import ProjectFile
    from dvc.exceptions import DvcException
    from dvc.stage.loader import StageLoader

    path, stage_name = split_name(name)
    try:
        with open_dvc(root) as repo:
            file = ProjectFile(repo, str(root / (path or "dvc.yaml")))
            loader = StageLoader(file, file.contents, {})
            stages = {other: loader[other] for other in loader}
            if stage_name not in stages:
                raise UserError(f"dvc.yaml has no stage {name}: `dvc stage list --all` names all of them.")
            shown = _Shown(repo, {file.path: file.metrics}, {file.path: file.plots}, {file.path: file.artifacts})
            running = stages[stage_name]
            running.save_deps()
            entries = _define(stages.values(), shown, root)
    except (DvcException, OSError, ValueError) as error:
        raise UserError(f"DVC cannot read the stage {name}: {as_said(error)}") from None
    entries[name] = replace(entries[name], params=_saved_params(running))
    outs = {entries[name].path(out.def_path): out for out in running.outs}
    return entries, lambda: {path: str(out.get_hash().value) for path, out in outs.items()}


@contextmanager
def open_dvc(root: Path, commit: str | None = None) -> Iterator[Any]:
    """Yield DVC's repository at `root`, of the working folder or of a commit."""
    from dvc.fs import GitFileSystem
    from dvc.repo import Repo
    from dvc.scm import SCM

    use_in_dvc()
    top = git_root(root) if commit else None
    if top is None:
        with Repo(str(root)) as repo:
            yield repo
        return
    scm = SCM(str(top))
    inside = root.resolve().relative_to(top).as_posix()
    with Repo(f"/{inside}" if inside != "." else "/", fs=GitFileSystem(scm=scm, rev=commit), scm=scm) as repo:
        yield repo


def address(name: str, root: Path, folder: Path) -> str:
    """Return how a stage, or a dvc.yaml, is named from the root, of a name that is seen from a folder."""
    file, colon, stage = name.rpartition(":")
    if not colon and not name.endswith(("dvc.yaml", ".dvc")):
        file, colon, stage = "dvc.yaml", ":", name
    where = joined(os.path.relpath(folder.resolve(), root.resolve()), file or stage)
    return stage if colon and where == "dvc.yaml" else f"{where}:{stage}" if colon else where


@contextmanager
def _read(root: Path, commit: str | None) -> Iterator[tuple[list[Any], dict[str, Entry]]]:
    from dvc.exceptions import DvcException

    try:
        with open_dvc(root, commit) as repo:
            index = repo.index
            yield (
                index.stages,
                _define(index.stages, _Shown(repo, index._metrics, index._plots, index._artifacts), root),
            )
    except (DvcException, OSError, ValueError) as error:
        where = f"{root} at {commit[:12]}" if commit else str(root)
        raise UserError(f"DVC cannot read the pipeline in {where}: {as_said(error)}") from None


def as_said(error: Exception) -> str:
    """Return an error of DVC in one line; of the place of a mistake in a file DVC itself has a whole page."""
    where = " `dvc status` shows the line." if hasattr(error, "__pretty_exc__") else ""
    return one_line(error) + where


class _Shown:
    """What the dvc.yaml files list at their top, by path below the root: metrics, plots and artifacts."""

    def __init__(
        self, repo: Any, metrics: Mapping[str, Any], plots: Mapping[str, Any], artifacts: Mapping[str, Any]
    ) -> None:
        self.metrics: set[str] = set()
        self.plots: dict[str, dict[str, Any]] = {}
        self.artifacts: dict[str, Artifact] = {}

        def at(file: str, path: str) -> str:
            return joined(repo.fs.relpath(repo.fs.parent(file), repo.root_dir), path)

        for file, paths in metrics.items():
            self.metrics |= {at(file, path) for path in paths}
        for file, listed in plots.items():
            for path, properties in _plot_files(listed):
                self.plots[at(file, path)] = properties
        for file, named in artifacts.items():
            folder = joined(repo.fs.relpath(repo.fs.parent(file), repo.root_dir), "")
            for name, found in named.items():
                full = ".".join([*(part for part in folder.split("/") if part != "."), name])
                self.artifacts[at(file, found["path"])] = Artifact(
                    full, found.get("type"), found.get("desc") or "", tuple(found.get("labels") or ())
                )


def _plot_files(plots: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files that `plots:` at the top of a dvc.yaml names, with the properties of the plot."""
    for plot in plots:
        for name, properties in ({plot: None} if isinstance(plot, str) else plot).items():
            given = properties or {}
            x, y = given.get("x"), given.get("y")
            for file in y if isinstance(y, dict) else x if isinstance(x, dict) else {name: None}:
                column = x.get(file) if isinstance(x, dict) else x
                yield file, {"x": column} if isinstance(column, str) else {}


def _define(stages: Iterable[Any], shown: _Shown, root: Path) -> dict[str, Entry]:
    entries = {entry.name: entry for entry in (_defined(stage, shown, root) for stage in stages)}
    kept = {out for entry in entries.values() for out in entry.outs}
    folders = {str(parent) for out in kept for parent in Path(out).parents}

    def is_kept(path: str) -> bool:
        return path in kept or path in folders - {"."} or any(str(parent) in kept for parent in Path(path).parents)

    return {
        name: replace(entry, tracked=frozenset(path for path in entry.deps if is_kept(path)))
        for name, entry in entries.items()
    }


def _saved_params(stage: Any) -> dict[str, Any]:
    from dvc.dependency import ParamsDependency

    params: dict[str, Any] = {}
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            params |= named_params(dep.def_path, dep.hash_info.value or {})
    return params


def _defined(stage: Any, shown: _Shown, root: Path) -> Entry:
    from dvc.dependency import ParamsDependency

    folder = joined(stage.repo.fs.relpath(stage.wdir, stage.repo.root_dir), "")
    outs = {joined(folder, out.def_path): out for out in stage.outs}
    deps = {_source(folder, dep): dep for dep in stage.deps if not isinstance(dep, ParamsDependency)}
    plots = {path: dict(out.plot) if isinstance(out.plot, dict) else {} for path, out in outs.items() if out.plot}
    return Entry(
        name=_name(stage),
        command=command_text(stage.cmd),
        deps={path: _digest(dep) for path, dep in deps.items()},
        params={},
        outs={path: _digest(out) for path, out in outs.items()},
        description=stage.desc or "",
        meta=stage.meta if isinstance(stage.meta, dict) else {},
        metrics=tuple(path for path, out in outs.items() if out.metric) + tuple(_inside(shown.metrics, outs)),
        headline=tuple(sorted(shown.metrics & outs.keys())),
        plots=plots | {path: shown.plots[path] for path in _inside(shown.plots, outs)},
        artifacts={path: shown.artifacts[path] for path in _inside(shown.artifacts, outs)},
        folder=folder,
        root=root,
    )


def _inside(paths: Iterable[str], outs: Mapping[str, Any]) -> list[str]:
    """Return the paths that are outputs, or lie in one, and are not marked as a metric by the output itself."""
    return [
        path
        for path in paths
        if any((path == out and not made.metric) or path.startswith(f"{out}/") for out, made in outs.items())
    ]


def _name(stage: Any) -> str:
    where = stage.repo.fs.relpath(stage.path, stage.repo.root_dir).replace("\\", "/")
    name = getattr(stage, "name", None)
    return where if name is None else name if where == "dvc.yaml" else f"{where}:{name}"


def _source(folder: str, dep: Any) -> str:
    """Return the path of a dependency; one in another repository stands behind that repository's address."""
    locked = getattr(dep, "def_repo", None)
    if not locked:
        return joined(folder, dep.def_path)
    # git's short form of an address, host:path, is no URL.
    address = re.sub(r"^([\w.-]+@[\w.-]+):(?!//)", r"ssh://\1/", locked["url"])
    return f"{joined(folder, address)}/{dep.def_path}"


def _digest(item: Any) -> str:
    if item.hash_info:
        return str(item.hash_info.value)
    locked = getattr(item, "def_repo", None)  # an import from another repository
    return str(locked.get("rev_lock") or "") if locked else ""
