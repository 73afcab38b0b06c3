"""Whether the stages of dvc.yaml declare the Python files that they import, and the declarations that they lack."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from provenn.dvc_yaml import with_deps
from provenn.files import UserError, write_bytes
from provenn.imports import ImportFinder, Imports
from provenn.terminal import Json


@dataclass(frozen=True)
class CheckedStage:
    """A Python stage of a dvc.yaml and what it lacks; paths are as its deps are written.

    `missing` maps a file to what imports it. `unused` are the declared sources below which it imports nothing; a stage
    may still need them, to read them. There are none where `notes` say that an import could not be followed.
    """

    file: Path
    name: str
    missing: dict[str, str]
    unused: list[str]
    notes: list[str]


def deps(
    stages: Annotated[
        list[str] | None, typer.Argument(help="Stages (train@mnist) or groups of them (train); else all.")
    ] = None,
    write: Annotated[bool, typer.Option("--write/--check", help="Add to dvc.yaml what is missing.")] = False,
    ignore: Annotated[
        list[Path] | None, typer.Option(help="A file or folder on which no output depends, such as one that only logs.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that every Python stage declares the files that it imports.

    DVC runs a stage again when something that it declares has changed. A
    helper that it imports but does not declare can change, and the old result
    stays. The imports are read from the code, nothing is run. A declared folder
    covers its files.

    Exits with 0 when nothing is missing or all of it was added, else with 1.

    Example, for a stage whose command is python train.py:

      $ provenn deps
      train lacks src/net.py (imported by train.py)

      $ provenn deps --write
      train now has src/net.py (imported by train.py)
    """
    checked = check_stages(Path.cwd(), stages or (), ignore or ())
    if write:
        add_missing(checked)
    if as_json:
        print(json.dumps([_as_json(stage) for stage in checked], indent=2))
    else:
        for line in _lines(checked, "now has" if write else "lacks"):
            print(line)
    if not write and any(stage.missing for stage in checked):
        raise typer.Exit(1)


def check_stages(folder: Path, targets: Sequence[str] = (), ignored: Sequence[Path] = ()) -> list[CheckedStage]:
    """Return the Python stages of the DVC repository around `folder`, or those of the groups that `targets` name.

    A stage that runs every time (no deps and no outs, or `always_changed`) needs no declarations. What is below
    `ignored` needs none either, and so does the package `provenn`: no output depends on what only records.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(folder)) as repo:
            stages = [stage for stage in repo.index.stages if stage.cmd and getattr(stage, "name", None)]
            outs = {Path(out.fs_path) for out in repo.index.outs}
    except DvcException as error:
        reason = " ".join(str(error).split())
        raise UserError(f"DVC cannot read the stages of {folder} ({reason}): `dvc stage list` says where.") from None
    # A DVC repository may be a folder of a larger one, whose sources it uses.
    root, top = Path(repo.root_dir), Path(repo.scm.root_dir or repo.root_dir)
    ignored = [Path(os.path.normpath(folder / path)) for path in ignored]
    finder = ImportFinder(top, (root, root / "src", top, top / "src"), ignored)
    checked = []
    for stage in sorted(_select(stages, targets), key=lambda stage: (stage.path, _group(stage.name))):
        commands = [stage.cmd] if isinstance(stage.cmd, str) else [str(command) for command in stage.cmd]
        always_runs = stage.is_callback or stage.always_changed
        imports = None if always_runs else finder.follow(commands, Path(stage.wdir))
        if imports:
            checked.append(_compare(stage, imports, outs))
    return checked


def add_missing(checked: Sequence[CheckedStage]) -> None:
    """Add what the stages lack to their dvc.yaml files; change none of them when one cannot be.

    Raises UserError where the items of a `foreach` or `matrix` lack different files, and where the place for the deps
    is not theirs alone.
    """
    texts: dict[Path, str] = {}
    for (file, group), items in groupby(checked, lambda stage: (stage.file, _group(stage.name))):
        lacking = {item.name: list(item.missing) for item in items}
        common = next(iter(lacking.values()))
        if any(set(missing) != set(common) for missing in lacking.values()):
            each = "; ".join(f"{name}: {', '.join(missing) or 'nothing'}" for name, missing in lacking.items())
            raise UserError(
                f"the items of {group} in {_shown(file)} lack different files: add them by hand, with a path that "
                f"names the item, such as src/${{item}}.py ({each})."
            )
        if common:
            text = with_deps(texts.get(file) or file.read_bytes().decode(), group, common)
            if text is None:
                raise UserError(
                    f"the deps of {group} in {_shown(file)} are shared with another stage or written in a way that "
                    f"cannot be changed safely: add by hand {', '.join(common)}."
                )
            texts[file] = text
    for file, text in texts.items():
        write_bytes(file, text.encode())


def _select(stages: Sequence[Any], targets: Sequence[str]) -> list[Any]:
    """Return the stages of the groups that are named, whole groups: their items share one definition."""
    groups: dict[str, str] = {}
    for stage in stages:
        group = stage.addressing.removesuffix(stage.name) + _group(stage.name)
        groups |= {stage.addressing: group, group: group}
    for target in targets:
        if target not in groups:
            close = get_close_matches(target, groups, 1)
            hint = f"did you mean {close[0]}?" if close else "`dvc stage list` shows them."
            raise UserError(f"there is no stage {target} with a command: {hint}")
    wanted = {groups[target] for target in targets}
    return [stage for stage in stages if not targets or groups[stage.addressing] in wanted]


def _compare(stage: Any, imports: Imports, outs: set[Path]) -> CheckedStage:
    from dvc.dependency import Dependency

    declared = {Path(dep.fs_path): str(dep.def_path) for dep in stage.deps if type(dep) is Dependency}
    known = declared.keys() | {Path(out.fs_path) for out in stage.outs}
    missing = {
        _written(file, stage): _written(importer, stage) if importer else "cmd"
        for file, importer in imports.files.items()
        if file not in imports.empty and not known & {file, *file.parents}
    }
    used = {path for file in imports.files for path in (file, *file.parents)}
    unused = [
        name
        for path, name in declared.items()
        if path not in used and not imports.notes and not outs & {path, *path.parents} and _has_code(path)
    ]
    return CheckedStage(Path(stage.path), stage.name, missing, unused, imports.notes)


def _has_code(path: Path) -> bool:
    return path.suffix == ".py" or any(path.rglob("*.py"))


def _written(path: Path, stage: Any) -> str:
    return Path(os.path.relpath(path, stage.wdir)).as_posix()


def _group(name: str) -> str:
    return name.partition("@")[0]


def _shown(file: Path) -> str:
    return os.path.relpath(file)


def _label(file: Path, name: str) -> str:
    return name if _shown(file) == "dvc.yaml" else f"{_shown(file)}:{name}"


def _as_json(stage: CheckedStage) -> dict[str, Any]:
    return {
        "stage": _label(stage.file, stage.name),
        "missing": stage.missing,
        "unused": stage.unused,
        "notes": stage.notes,
    }


def _lines(checked: Sequence[CheckedStage], verb: str) -> list[str]:
    """Return a line a stage that lacks something, then the notes; the items of a group that agree share theirs."""
    lacks, notes = [], []
    for (file, group), items in groupby(checked, lambda stage: (stage.file, _group(stage.name))):
        stages = list(items)
        alike = len({repr((stage.missing, stage.unused, stage.notes)) for stage in stages}) == 1
        for stage in stages[:1] if alike else stages:
            label = _label(file, group if alike else stage.name)
            files = ", ".join(f"{path} (imported by {importer})" for path, importer in stage.missing.items())
            lacks += [f"{label} {verb} {files}"] if files else []
            notes += [f"note: {label} imports nothing from {', '.join(stage.unused)}"] if stage.unused else []
            notes += [f"note: {label}: {note}" for note in stage.notes]
    return [*(lacks or [f"No Python stage lacks a file that it imports ({len(checked)} checked)."]), *notes]
