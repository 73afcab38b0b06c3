"""The pipeline as DVC sees it: which stage needs which, which has changed, and which to start first."""

import difflib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenn.definitions import address, as_said
from provenn.entry import split_name
from provenn.fast_yaml import use_in_dvc
from provenn.files import UserError, one_line
from provenn.repro.parameters_once import read_parameters_once

# A first guess at a stage's seconds, until it has run once: starting a process, and reading its dependencies.
START_SECONDS = 3.0
BYTES_PER_SECOND = 5e6


@dataclass(frozen=True)
class Plan:
    """The stages to bring up to date: `stages` in the order of a serial `dvc repro`, and what each `needs`.

    A stage that reads a folder needs every stage that writes into it. `locks` are the texts of the lock files with
    which the stages were read, empty for one that is not there.
    """

    repo: Any
    stages: dict[str, Any]
    needs: dict[str, set[str]]
    locks: dict[Path, str]

    def changed(self, name: str) -> bool:
        """Tell whether `dvc repro` would run or restore the stage, all that it needs being up to date.

        Asks what DVC's `Stage.changed` asks, without its locks: nothing that is running writes what this reads, and
        where a `dvc` of someone else does, the stage's own process finds out under the locks.
        """
        from dvc.exceptions import DvcException

        stage = self.stages[name]
        dependencies = [] if stage.frozen else stage.deps
        try:
            return bool(
                stage.changed_stage()
                or (not stage.frozen and (stage.is_callback or stage.always_changed))
                or any(dependency.status() for dependency in dependencies)
                or any(out.status() for out in stage.outs)
            )
        except DvcException:  # such as a missing file: the stage's own process reports it
            return True

    def by_urgency(self, seconds: Mapping[str, float]) -> list[str]:
        """Return the stages, those first after which the longest chain of work remains.

        `seconds` says how long stages took; of the others the size of their dependencies gives a guess.
        """
        remaining = dict.fromkeys(self.stages, 0.0)  # after the stage; with its own seconds once it was its turn
        for name in reversed(self.stages):
            remaining[name] += seconds.get(name) or _guess(self.stages[name])
            for needed in self.needs[name]:
                remaining[needed] = max(remaining[needed], remaining[name])
        return sorted(self.stages, key=lambda name: -remaining[name])


def open_repository(root: Path) -> Any:
    """Return DVC's repository in the folder `root`; raise UserError when DVC cannot open it."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    use_in_dvc()
    read_parameters_once()
    try:
        return Repo(str(root), _wait_for_lock=False)
    except DvcException as error:
        raise UserError(f"DVC cannot open {root}: {one_line(error)}") from error


def read_plan(repo: Any, targets: Iterable[str], folder: Path | None = None) -> Plan:
    """Return the plan for `targets`, stages or groups of them such as `train_mlp`, with all that they need.

    They are named as seen from `folder` or from the root. Without targets it is the whole repository. Raises UserError
    for an unknown target and a pipeline that DVC refuses.
    """
    from dvc.exceptions import DvcException
    from dvc.repo.reproduce import get_active_graph, plan_repro

    try:
        graph = get_active_graph(repo.index.graph)
        stages = {stage.addressing: stage for stage in plan_repro(graph)}
    except DvcException as error:
        raise UserError(f"DVC cannot read the pipeline in {repo.root_dir}: {as_said(error)}") from error
    if not stages:
        raise UserError(f"{repo.root_dir} has no stage: write a dvc.yaml, or go to the repository's root.")
    needs = {name: {other.addressing for other in graph.successors(stage)} for name, stage in stages.items()}
    seen = {target: address(target, Path(repo.root_dir), folder or Path(repo.root_dir)) for target in targets}
    wanted = _with_upstream(_named(seen, stages), needs)
    return Plan(
        repo=repo,
        stages={name: stage for name, stage in stages.items() if name in wanted},
        needs={name: needs[name] for name in stages if name in wanted},
        locks={path: _text(path) for path in {lock_of(stage) for stage in stages.values() if is_step(stage)}},
    )


def is_step(stage: Any) -> bool:
    """Tell whether a stage is one of a dvc.yaml, and so has an entry in a lock file."""
    return bool(getattr(stage, "name", None))


def lock_of(stage: Any) -> Path:
    """Return the lock file that has a step's entry."""
    return Path(stage.path).with_name("dvc.lock")


def _text(path: Path) -> str:
    with suppress(FileNotFoundError):
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    return ""


def _named(targets: Mapping[str, str], stages: Iterable[str]) -> set[str]:
    groups: dict[str, set[str]] = {}
    for name in stages:
        # A stage, its group, and the dvc.yaml that has it.
        for group in {name, name.partition("@")[0], split_name(name)[0] or "dvc.yaml"}:
            groups.setdefault(group, set()).add(name)
    for target, from_root in targets.items():
        if not {target, from_root} & groups.keys():
            near = difflib.get_close_matches(target, groups, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else "`dvc stage list --all --name-only` names all of them."
            raise UserError(f"{target} is no stage and no group of stages in dvc.yaml: {hint}")
    found = (groups.get(from_root) or groups[target] for target, from_root in targets.items())
    return set().union(*found) if targets else set(stages)


def _with_upstream(names: set[str], needs: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs[name]
    return found


def _guess(stage: Any) -> float:
    # The sizes that dvc.lock remembers: a fresh clone knows them before any data is there.
    sizes = (getattr(dependency.meta, "size", None) for dependency in stage.deps)
    return START_SECONDS + sum(size or 0 for size in sizes) / BYTES_PER_SECOND
