"""What DVC knows of a stage: command, dependencies, parameters and outputs, each by its content."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from provenn.files import UserError


@dataclass(frozen=True)
class StageEntry:
    """A stage as dvc.lock records it. `deps` maps paths to DVC's digests; so does `outs`, once the stage has run.

    `root` is the folder in which its files lie: the working folder, or one into which they were taken from the cache.
    """

    name: str
    description: str
    command: str
    deps: dict[str, str]
    params: dict[str, Any]
    out_paths: list[str]
    outs: dict[str, str] = field(default_factory=dict)
    root: Path = Path()

    @cached_property
    def key(self) -> str:
        """The stage's key: a hash of its command, its dependencies' digests and its parameters."""
        content = {"cmd": self.command, "deps": self.deps, "params": self.params}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def stage(self) -> str:
        """The stage's name without its item: `train_mlp` of `train_mlp@mnist_mlp`."""
        return self.name.partition("@")[0]

    @property
    def item(self) -> str | None:
        """The item of a stage that is run for several: `mnist_mlp` of `train_mlp@mnist_mlp`."""
        return self.name.partition("@")[2] or None

    @property
    def settings(self) -> dict[str, Any]:
        """The stage's parameters, flat, without the section's own path: {"learning_rate": 0.001, …}."""
        flat: dict[str, Any] = {}
        for path, value in self.params.items():
            section = path.startswith(self.stage) and isinstance(value, dict)
            _flatten("" if section else path.removeprefix(f"{self.stage}."), value, flat)
        return flat


def read_entry(name: str) -> tuple[StageEntry, Callable[[], dict[str, str]]]:
    """Return the entry of a stage of ./dvc.yaml with its dependencies as they are now, and a function for its outputs.

    The function digests the outputs once they are written. DVC remembers each digest by the file's time and inode, so
    that nothing is hashed twice.
    """
    from dvc.dependency import ParamsDependency
    from dvc.dvcfile import PROJECT_FILE, ProjectFile
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage.loader import StageLoader

    try:
        project = ProjectFile(Repo(str(Path.cwd())), PROJECT_FILE)
        # Without dvc.lock: it is not needed here, and the DVC of another stage may be in the middle of writing it.
        stage = StageLoader(project, project.contents, {})[name]
        stage.save_deps()
    except DvcException as error:
        raise UserError(f"DVC cannot read the stage {name}: {error}.") from error
    deps = {dep.def_path: dep.hash_info.value for dep in stage.deps if not isinstance(dep, ParamsDependency)}
    params = [dep.hash_info.value for dep in stage.deps if isinstance(dep, ParamsDependency)]
    entry = StageEntry(
        name=name,
        description=stage.desc or "",
        command=stage.cmd,
        deps=deps,
        params={key: value for section in params for key, value in section.items()},
        out_paths=[out.def_path for out in stage.outs],
    )
    return entry, lambda: {out.def_path: out.get_hash().value for out in stage.outs}


def parse_lock(text: str, where: str, descriptions: Mapping[str, str] | None = None) -> dict[str, StageEntry]:
    """Return the stages of a dvc.lock by name; with `descriptions`, only the stages that it names.

    DVC leaves a stage that was taken out of dvc.yaml in the lock. Raises UserError, which names `where`, when the text
    is no lock.
    """
    from dvc.utils.serialize import parse_yaml

    try:
        stages = (parse_yaml(text, where) or {}).get("stages", {})
        return {
            name: StageEntry(
                name=name,
                description=(descriptions or {}).get(name, ""),
                command=stage["cmd"],
                deps={dep["path"]: dep["md5"] for dep in stage.get("deps", [])},
                params={key: value for file in stage.get("params", {}).values() for key, value in file.items()},
                out_paths=[out["path"] for out in stage.get("outs", [])],
                outs={out["path"]: out["md5"] for out in stage.get("outs", [])},
            )
            for name, stage in stages.items()
            if descriptions is None or name in descriptions
        }
    except Exception as error:  # a YAML error of the parser DVC uses, or a shape that no lock has
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{where} is not a lock of DVC ({reason}): restore it with `git checkout dvc.lock`, or run `dvc repro`."
        ) from None


def directory_digest(files: Mapping[str, str]) -> str:
    """Return DVC's digest of a folder from its files' relative paths and digests."""
    listing = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    content = json.dumps(listing, sort_keys=True)
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _flatten(prefix: str, value: Any, into: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _flatten(f"{prefix}.{key}" if prefix else key, item, into)
    else:
        into[prefix or "value"] = value
