"""Adding deps to the text of a dvc.yaml; every other byte of it stays as it is."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import YAMLError


def with_deps(text: str, stage: str, paths: Sequence[str]) -> str | None:
    """Return a dvc.yaml's text with `paths` added to the deps of a stage, or None where no safe place is found.

    That is so where several stages share the deps by an anchor or a merge key. `stage` is its name in dvc.yaml; below
    `foreach` and `matrix` the template is changed.
    """
    return next((new for new in _candidates(text, stage, paths) if _adds_only(text, new, stage, paths)), None)


def _candidates(text: str, stage: str, paths: Sequence[str]) -> Iterator[str]:
    """Yield texts with the paths where they should belong: behind the last script, else behind the command."""
    definition = _definition(YAML().load(text), stage)
    written = [path if re.fullmatch(r"[\w.][\w./-]*", path) else json.dumps(path) for path in paths]
    lines = text.split("\n")
    deps = definition.get("deps", [])
    if isinstance(deps, CommentedSeq) and deps:
        names = [index for index, dep in enumerate(deps) if isinstance(dep, str)]
        scripts = [index for index in names if deps[index].endswith(".py")]
        line, column = deps.lc.item((scripts or names or [0])[-1])
        if deps.fa.flow_style():
            lines[line] = f"{lines[line][:column]}{', '.join(written)}, {lines[line][column:]}"
            yield "\n".join(lines)
        elif dash := re.match(r"\s*-\s+", lines[line]):
            yield _insert(lines, line + bool(names), [f"{dash.group()}{path}" for path in written])
    elif "deps" not in definition and "cmd" in definition:
        line, column = definition.lc.key("cmd")
        indent = " " * column
        block = [f"{indent}deps:", *(f"{indent}  - {path}" for path in written)]
        yield _insert(lines, line + 1, block)
        yield _insert(lines, line, block)  # a command of several lines


def _insert(lines: Sequence[str], at: int, new: Sequence[str]) -> str:
    end = "\r" if lines[0].endswith("\r") else ""
    return "\n".join([*lines[:at], *(line + end for line in new), *lines[at:]])


def _adds_only(text: str, new: str, stage: str, paths: Sequence[str]) -> bool:
    """Return whether the new text says what the old one says, and of this one stage also that it has these deps."""
    try:
        before, after = _plain(text), _plain(new)
    except YAMLError:
        return False
    old_deps, new_deps = (_definition(content, stage).pop("deps", []) for content in (before, after))
    kept = [dep for dep in new_deps if dep not in paths]
    return before == after and kept == old_deps and len(new_deps) == len(old_deps) + len(paths)


def _plain(text: str) -> Any:
    """Return YAML's content without shared parts, so that a change below an anchor shows wherever it is used."""
    return json.loads(json.dumps(YAML(typ="safe").load(text), default=str))


def _definition(content: Any, stage: str) -> Any:
    definition = content["stages"][stage]
    return definition.get("do", definition)
