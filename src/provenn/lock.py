"""dvc.yaml and dvc.lock as plain values: a stage with its key, what it read and what it made, by content.

Everything that DVC knows as a stage is an entry: those of every dvc.yaml, and .dvc files, which have no command. Paths
are relative to the repository's root, whatever the stage's folder; what lies outside keeps its URL or absolute path.
"""

import hashlib
import json
import os
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from provenn.fast_yaml import parse_yaml
from provenn.files import UserError
from provenn.repository import commits_with_locks, git, git_root, has_commit

LOCK = "dvc.lock"


@dataclass(frozen=True)
class Artifact:
    """An entry of `artifacts:` in dvc.yaml, by the name that a registry may use."""

    name: str
    type: str | None
    description: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A stage: what the lock records, `deps`, `params` and `outs`, and what dvc.yaml says of it besides.

    `deps` and `outs` map paths to digests as DVC made them: an MD5, with `.dir` for a folder, or an etag. `params` maps
    names to values, those of another file than params.yaml behind its name and a colon. `headline` are the metrics that
    the top of dvc.yaml lists; `plots` maps paths to their properties. `tracked` are the dependencies that DVC keeps, as
    an output of another stage or by a .dvc file. `folder` is the stage's own, below the repository's root; `root` is
    where the files lie: the repository, or a folder into which they were taken.
    """

    name: str
    command: str
    deps: dict[str, str]
    params: dict[str, Any]
    outs: dict[str, str]
    description: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    headline: tuple[str, ...] = ()
    plots: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    tracked: frozenset[str] = frozenset()
    folder: str = ""
    root: Path = Path()

    @cached_property
    def key(self) -> str:
        """The stage's key: a hash of its command, its dependencies' digests and its parameters."""
        content = {"cmd": self.command, "deps": self.deps, "params": self.params}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    @cached_property
    def result(self) -> str:
        """A hash of the outputs' digests; empty before the stage has run."""
        content = json.dumps(self.outs, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest() if any(self.outs.values()) else ""

    @property
    def stage(self) -> str:
        """The stage's name without folder and item: `train_mlp` of `book/dvc.yaml:train_mlp@mnist_mlp`."""
        return self.name.rpartition(":")[2].partition("@")[0]

    def path(self, path: str) -> str:
        """Return a path of the stage's definition as one below the root."""
        return _joined(self.folder, path)

    def models(self) -> dict[str, Artifact]:
        """Return the outputs that are artifacts of the type model."""
        return {path: artifact for path, artifact in self.artifacts.items() if artifact.type == "model"}

    def settings(self) -> dict[str, Any]:
        """Return the parameters flat, by dotted names; those of the stage's own section, if it has one, without it.

        Where two names would then be the same, both stay whole.
        """
        values: dict[str, Any] = {}
        short: dict[str, str] = {}
        for name, value in self.params.items():
            own = f"{name}.".startswith(f"{self.stage}.")
            section = f"{name if isinstance(value, dict) else self.stage}."
            for full, item in _flatten(name, value):
                values[full] = item
                short[full] = full.removeprefix(section) if own else full
        times = Counter(short.values())
        return {(short[full] if times[short[full]] == 1 else full): item for full, item in values.items()}


def read_lock(root: Path, commit: str | None = None) -> dict[str, Entry]:
    """Return the stages that have a result, of the working folder or of a commit, by name.

    A name is DVC's, seen from the root: `train`, `book/dvc.yaml:train`, `data/raw.csv.dvc`. A stage that dvc.yaml no
    longer has is left out. Where the commit's dvc.yaml cannot be read, its lock at the root alone speaks. Raises
    UserError for a file that DVC cannot read, a lock that is no lock, and a commit that is not in this clone.
    """
    if commit and not has_commit(root, commit):
        raise UserError(f"the commit {commit[:12]} is not in this clone: fetch it with `git fetch --all`.")
    try:
        stages = read_stages(root, commit)
    except UserError:
        if commit is None:
            raise
        recorded = _read_lock_file(root, commit, LOCK)
        return {name: _as_recorded(Entry(name, "", {}, {}, {}, root=root), stage) for name, stage in recorded.items()}
    return with_results(root, stages, commit)


def with_results(root: Path, stages: Mapping[str, Entry], commit: str | None = None) -> dict[str, Entry]:
    """Return those of the `stages`, as they are defined, that have a result, with what the locks record."""
    paths = {_lock_of(name) for name in stages if not _is_file(name)}
    locks = {path: _read_lock_file(root, commit, path) for path in paths}
    entries = {}
    for name, stage in stages.items():
        if _is_file(name):
            entries[name] = stage
        elif found := locks[_lock_of(name)].get(name.rpartition(":")[2]):
            entries[name] = _as_recorded(stage, found)
    return entries


def read_stages(root: Path, commit: str | None = None) -> dict[str, Entry]:
    """Return all stages that DVC sees, as they are defined; only .dvc files hold digests."""
    from dvc.exceptions import DvcException

    try:
        with open_dvc(root, commit) as repo:
            index = repo.index
            return _define(index.stages, _Shown(repo, index._metrics, index._plots, index._artifacts), root)
    except (DvcException, OSError, ValueError) as error:
        where = f"{root} at {commit[:12]}" if commit else str(root)
        raise UserError(f"DVC cannot read the pipeline in {where}: {one_line(error)}") from None


def read_running(root: Path, name: str) -> tuple[dict[str, Entry], Callable[[], dict[str, str]]]:
    """Return the stages of a stage's dvc.yaml, itself with what it reads as it is now, and a function for its outputs.

    The function digests them once they are written. DVC remembers digests by a file's time and inode, so that nothing
    is hashed twice. dvc.lock, which takes DVC longer to read than all the rest, is left alone.
    """
    from dvc.dvcfile import ProjectFile
    from dvc.exceptions import DvcException
    from dvc.stage.loader import StageLoader

    folder, _, stage_name = name.rpartition(":")
    try:
        with open_dvc(root) as repo:
            file = ProjectFile(repo, str(root / (folder or "dvc.yaml")))
            loader = StageLoader(file, file.contents, {})
            stages = {other: loader[other] for other in loader}
            if stage_name not in stages:
                raise UserError(f"dvc.yaml has no stage {name}: `dvc stage list --all` names all of them.")
            shown = _Shown(repo, {file.path: file.metrics}, {file.path: file.plots}, {file.path: file.artifacts})
            running = stages[stage_name]
            running.save_deps()
            entries = _define(stages.values(), shown, root)
    except (DvcException, OSError, ValueError) as error:
        raise UserError(f"DVC cannot read the stage {name}: {one_line(error)}") from None
    entries[name] = replace(entries[name], params=_saved_params(running))
    outs = {entries[name].path(out.def_path): out for out in running.outs}
    return entries, lambda: {path: str(out.get_hash().value) for path, out in outs.items()}


@contextmanager
def open_dvc(root: Path, commit: str | None = None) -> Iterator[Any]:
    """Yield DVC's repository at `root`, of the working folder or of a commit."""
    from dvc.fs import GitFileSystem
    from dvc.repo import Repo
    from dvc.scm import SCM

    top = git_root(root) if commit else None
    if top is None:
        with Repo(str(root)) as repo:
            yield repo
        return
    scm = SCM(str(top))
    inside = root.resolve().relative_to(top).as_posix()
    with Repo(f"/{inside}" if inside != "." else "/", fs=GitFileSystem(scm=scm, rev=commit), scm=scm) as repo:
        yield repo


def past_locks(root: Path, *, newest_first: bool = False) -> Iterator[tuple[str, dict[str, Entry]]]:
    """Yield each commit that changed a lock, the oldest first, with its entries.

    One whose lock cannot be read is left out: nobody can mend it any more.
    """
    commits = commits_with_locks(root)
    for commit in reversed(commits) if newest_first else commits:
        with suppress(UserError):
            yield commit, read_lock(root, commit)


def address(name: str, root: Path, folder: Path) -> str:
    """Return how a stage, or a dvc.yaml, is named from the root, of a name that is seen from a folder."""
    file, colon, stage = name.rpartition(":")
    if not colon and not name.endswith(("dvc.yaml", ".dvc")):
        file, colon, stage = "dvc.yaml", ":", name
    where = _joined(os.path.relpath(folder.resolve(), root.resolve()), file or stage)
    return stage if colon and where == "dvc.yaml" else f"{where}:{stage}" if colon else where


def producers(entries: Mapping[str, Entry], path: str) -> dict[str, Entry]:
    """Return the stages that make a path, by output: the path itself, a folder around it, or files in it."""
    return {
        out: entry
        for entry in entries.values()
        for out in entry.outs
        if out == path or path.startswith(f"{out}/") or out.startswith(f"{path}/")
    }


def directory_digest(files: Mapping[str, str]) -> str:
    """Return DVC's digest of a folder from its files' relative paths and digests."""
    listing = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    content = json.dumps(listing, sort_keys=True)
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest() + ".dir"


def one_line(error: BaseException) -> str:
    """Return an error's message in one line that ends like a sentence."""
    return (" ".join(str(error).split()) or type(error).__name__).rstrip(".") + "."


class _Shown:
    """What the dvc.yaml files list at their top, by path below the root: metrics, plots and artifacts."""

    def __init__(
        self, repo: Any, metrics: Mapping[str, Any], plots: Mapping[str, Any], artifacts: Mapping[str, Any]
    ) -> None:
        self.metrics: set[str] = set()
        self.plots: dict[str, dict[str, Any]] = {}
        self.artifacts: dict[str, Artifact] = {}

        def at(file: str, path: str) -> str:
            return _joined(repo.fs.relpath(repo.fs.parent(file), repo.root_dir), path)

        for file, paths in metrics.items():
            self.metrics |= {at(file, path) for path in paths}
        for file, listed in plots.items():
            for path, properties in _plot_files(listed):
                self.plots[at(file, path)] = properties
        for file, named in artifacts.items():
            folder = _joined(repo.fs.relpath(repo.fs.parent(file), repo.root_dir), "")
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
            params |= _named_params(dep.def_path, dep.hash_info.value or {})
    return params


def _defined(stage: Any, shown: _Shown, root: Path) -> Entry:
    from dvc.dependency import ParamsDependency

    folder = _joined(stage.repo.fs.relpath(stage.wdir, stage.repo.root_dir), "")
    outs = {_joined(folder, out.def_path): out for out in stage.outs}
    deps = {_source(folder, dep): dep for dep in stage.deps if not isinstance(dep, ParamsDependency)}
    plots = {path: dict(out.plot) if isinstance(out.plot, dict) else {} for path, out in outs.items() if out.plot}
    return Entry(
        name=_name(stage),
        command=_command(stage.cmd),
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


def _as_recorded(stage: Entry, recorded: Mapping[str, Any]) -> Entry:
    params: dict[str, Any] = {}
    for file, values in (recorded.get("params") or {}).items():
        params |= _named_params(file, values)
    return replace(
        stage,
        command=_command(recorded["cmd"]),
        deps={_joined(stage.folder, dep["path"]): _recorded_digest(dep) for dep in recorded.get("deps") or []},
        params=params,
        outs={_joined(stage.folder, out["path"]): _recorded_digest(out) for out in recorded.get("outs") or []},
    )


def _read_lock_file(root: Path, commit: str | None, path: str) -> Mapping[str, Any]:
    """Return the stages of one lock file as they stand in it; none when there is no such file."""
    where = f"{path} of {commit[:12]}" if commit else path
    try:
        file = root / path
        text = git("show", f"{commit}:./{path}", root=root) if commit else file.read_text() if file.is_file() else None
        content = parse_yaml(text) if text else {}
        stages = content.get("stages") or {} if "schema" in content else content  # DVC 1 wrote the stages alone
        # To find out here whether it is a lock at all, and not in the middle of something.
        for stage in stages.values():
            _as_recorded(Entry("", "", {}, {}, {}), stage)
    except Exception as error:  # an error of the parser DVC uses, or a shape that no lock has
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{where} is not a lock of DVC ({reason}): restore it with `git checkout {path}`, or run `dvc repro`."
        ) from None
    return dict(stages)


def _name(stage: Any) -> str:
    where = stage.repo.fs.relpath(stage.path, stage.repo.root_dir).replace("\\", "/")
    name = getattr(stage, "name", None)
    return where if name is None else name if where == "dvc.yaml" else f"{where}:{name}"


def _is_file(name: str) -> bool:
    return name.endswith(".dvc") and ":" not in name


def _lock_of(name: str) -> str:
    return str(Path(name.rpartition(":")[0]).with_name(LOCK)) if ":" in name else LOCK


def _command(command: Any) -> str:
    return command if isinstance(command, str) else "\n".join(command or [])


def _source(folder: str, dep: Any) -> str:
    """Return the path of a dependency; one in another repository stands behind that repository's address."""
    locked = getattr(dep, "def_repo", None)
    if not locked:
        return _joined(folder, dep.def_path)
    # git's short form of an address, host:path, is no URL.
    address = re.sub(r"^([\w.-]+@[\w.-]+):(?!//)", r"ssh://\1/", locked["url"])
    return f"{_joined(folder, address)}/{dep.def_path}"


def _digest(item: Any) -> str:
    if item.hash_info:
        return str(item.hash_info.value)
    locked = getattr(item, "def_repo", None)  # an import from another repository
    return str(locked.get("rev_lock") or "") if locked else ""


def _recorded_digest(item: Mapping[str, Any]) -> str:
    known = next((item[kind] for kind in ("md5", "etag", "checksum") if item.get(kind)), None)
    if known is None:
        content = json.dumps({name: value for name, value in item.items() if name != "path"}, sort_keys=True)
        return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest() if len(item) > 1 else ""
    return str(known)


def _named_params(file: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return dict(values) if file == "params.yaml" else {f"{file}:{name}": value for name, value in values.items()}


def _joined(folder: str, path: str) -> str:
    """Return a path below the root, of one that is relative to a folder; a URL or an absolute path stays."""
    if "://" in path or posixpath.isabs(path):
        return path
    return posixpath.normpath(posixpath.join(folder.replace("\\", "/"), path))


def _flatten(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flatten(f"{name}.{key}", item)
    else:
        yield name, value
