"""Metrics by name: `file:key`, in a JSON, YAML or TOML file, with wildcards in both."""

import fnmatch
import glob
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast

from yaml import YAMLError

from provenn.fast_yaml import parse_yaml
from provenn.files import UserError

Direction = Literal["minimize", "maximize"]
_WORDS: dict[Direction, set[str]] = {
    "maximize": {"accuracy", "auc", "f1", "per", "precision", "r2", "recall", "throughput"},  # images per second
    "minimize": {
        *("brier", "entropy", "error", "logloss", "loss", "mae", "mape", "mse", "perplexity", "rmse"),
        *("duration", "latency", "seconds", "time"),
    },
}


def find_metrics(metric: str, place: str, folder: Path) -> dict[str, float]:
    """Return the numbers that `file:key` names in `folder`, by `file:key`; `*` and `{a,b}` in both may name several.

    Raises UserError, which begins with `place`, when one of them names nothing or no finite number.
    """
    pattern, _, key = metric.partition(":")
    if not key:
        raise UserError(f"{place}: {metric!r} is neither a number nor `file:key`.")
    values = {}
    for file in [file for part in _braces(pattern) for file in _files(part, place, folder)]:
        named = _all_leaves(folder / file)
        for part in _braces(key):
            found = find(named, part)
            if not found:
                raise UserError(f"{place}: {folder / file} has no {part}: {known(named, part)}")
            for name, value in found.items():
                shown = f"{file}:{name}"
                values[shown] = finite_number(value, f"{place}: {shown}")
    return values


def numbers_in(file: Path) -> dict[str, float]:
    """Return the finite numbers of a JSON, YAML or TOML file, by the names that a rule's metric has for them."""
    leaves = {"/".join(path): value for path, value in _all_leaves(file).items()}
    return {name: value for name, value in leaves.items() if _is_finite_number(value)}


def better_end(name: str) -> Direction | None:
    """Return which end of a metric is better, by the words of its name; None where they say nothing, or both."""
    words = set(re.findall(r"[a-z]+\d*", name.lower()))
    ends = {end for end, known_words in _WORDS.items() if words & known_words}
    return ends.pop() if len(ends) == 1 else None


def _files(pattern: str, place: str, folder: Path) -> list[str]:
    if (folder / pattern).is_file():
        return [pattern]
    # Path.glob takes no absolute pattern.
    found = sorted(glob.glob(pattern, root_dir=folder, recursive=True))  # noqa: PTH207
    files = [name for name in found if (folder / name).is_file()]
    if not files:
        path = folder / pattern
        if path.is_dir():
            raise UserError(f"{place}: {path} is a folder: name a file in it.")
        missing = f"{path} is missing: restore it with `dvc checkout {path}`, or make it with `dvc repro`."
        error = f"no file matches {path}: make one with `dvc repro`." if glob.has_magic(pattern) else missing
        raise UserError(f"{place}: {error}")
    return files


def find(named: Mapping[tuple[str, ...], Any], key: str) -> dict[str, Any]:
    """Return the value that a key names, or else those that it names as a pattern; a flat key goes first."""
    exact = [path for path in named if key in ("/".join(path), ".".join(path))]
    if exact:
        return {key: named[min(exact, key=len)]}
    pattern = re.compile(fnmatch.translate(key))
    return {
        "/".join(path): value
        for path, value in named.items()
        if pattern.match("/".join(path)) or pattern.match(".".join(path))
    }


def known(named: Iterable[tuple[str, ...]], key: str) -> str:
    """Return the name that was perhaps meant, or those that there are, as the end of a sentence."""
    names = ["/".join(path) for path in named]
    close = get_close_matches(key, names, 1)
    return f"did you mean {close[0]}?" if close else f"it has {', '.join(names[:8]) or 'nothing'}."


def _all_leaves(file: Path) -> dict[tuple[str, ...], Any]:
    try:
        return leaves(read_values(file))
    except RecursionError:
        raise UserError(f"{file} is nested too deeply to be read: make it flatter.") from None


def leaves(value: Any) -> dict[tuple[str, ...], Any]:
    """Return the scalars of nested values by the path of their keys."""
    return dict(_leaves(value))


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(value, dict | list):
        yield path, value
        return
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _leaves(part, (*path, str(key)))


def _braces(pattern: str) -> list[str]:
    """Return the patterns that `{a,b}` stands for."""
    group = re.search(r"\{([^{}]*)\}", pattern)
    if not group:
        return [pattern]
    ends = pattern[: group.start()], pattern[group.end() :]
    return [whole for part in group[1].split(",") for whole in _braces(part.join(ends))]


def finite_number(value: Any, place: str) -> float:
    """Return a value that is a finite number; raise UserError when it is not one."""
    if not _is_finite_number(value):
        raise UserError(f"{place} is {value!r}: only a finite number can be compared.")
    return cast(float, value)


def _is_finite_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def read_values(file: Path) -> Any:
    """Return a file's content as DVC reads it: TOML, JSON, or else YAML 1.2, where 1e-3 is a number."""
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".toml":
            return tomllib.loads(text)
        return json.loads(text) if file.suffix == ".json" else parse_yaml(text)
    except (ValueError, YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file} cannot be read ({reason}): mend it.") from None
    except RecursionError:
        raise UserError(f"{file} is nested too deeply to be read: make it flatter.") from None
