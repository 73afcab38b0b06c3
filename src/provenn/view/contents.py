"""What a stage's files say: numbers and texts of its metrics, curves of its plots, and the files worth showing.

A file that is not there says nothing: which ones are missing is `absent`.
"""

import csv
import json
import math
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from provenn.entry import Entry
from provenn.view.meta import meta_of

TABLES = {".csv": ",", ".tsv": "\t"}
LIVE_CURVES = "plots/metrics"  # where DVCLive keeps a table a metric, below its folder


class Point(NamedTuple):
    """A number of a curve: at which step, and when (ms since 1970), where that is known."""

    name: str
    value: float
    step: int
    at: int | None = None


def metrics(entry: Entry) -> tuple[dict[str, float], dict[str, str]]:
    """Return the numbers and the texts of a stage's metrics files, nested names joined by a dot.

    Of several files, the names of each begin with the file's; with its path, where two files have one name.
    """
    numbers: dict[str, float] = {}
    texts: dict[str, str] = {}
    files = [file for path in entry.metrics for file in _files(entry.root / path)]
    for file in files:
        prefix = f"{_short_name(file, files, entry.root)}." if len(files) > 1 or len(entry.metrics) > 1 else ""
        for name, value in _all_scalars(file):
            if isinstance(value, str):
                texts[prefix + name] = value
            elif math.isfinite(value):
                numbers[prefix + name] = float(value)
    return numbers, texts


def curves(entry: Entry) -> list[Point]:
    """Return the points of a stage's curves.

    A table among its plots is a curve when its column `x` counts upwards; so is each table that DVCLive writes. Where
    two tables have a column of one name, those of each begin with the file's.
    """
    given = [(entry.root / path, properties.get("x")) for path, properties in entry.plots.items()]
    tables = [(file, x) for path, x in given if not str(path).endswith(LIVE_CURVES) for file in _files(path)]
    found = {file: _curve(read_table(file), x) for file, x in tables if isinstance(x, str)}
    times = Counter(name for curve in found.values() for name in {point.name for point in curve})
    points: list[Point] = []
    for file, curve in found.items():
        prefix = f"{_short_name(file, list(found), entry.root)}."
        points += [point._replace(name=prefix + point.name) if times[point.name] > 1 else point for point in curve]
    for folder in _live_folders(entry):
        for file in sorted(folder.rglob("*.tsv")):
            name = file.relative_to(folder).with_suffix("").as_posix()  # the column has the last part of it alone
            rows = [{"step": row.get("step"), name: row.get(file.stem)} for row in read_table(file)]
            points += _curve(rows, "step")
    return list(dict.fromkeys(points))


def shown_files(entry: Entry) -> dict[str, Path]:
    """Return the files to show, by their path in the run: metrics, plots, and what `meta` adds."""
    found: dict[str, Path] = {}
    for path in [*entry.metrics, *entry.plots, *meta_of(entry).artifacts, *(_live_outs(entry))]:
        found |= {file.relative_to(entry.root).as_posix(): file for file in _files(entry.root / path)}
    return found


def needed_paths(entry: Entry) -> list[str]:
    """Return the outputs that a complete run is made of; their folders where the files lie in one."""
    meta = meta_of(entry)
    wanted = {*entry.metrics, *entry.plots, *entry.models(), *meta.models, *meta.artifacts, *meta.scores}
    wanted |= {meta.description} if meta.description else set()
    return [out for out in entry.outs if any(path == out or path.startswith(f"{out}/") for path in wanted)]


def scores(entry: Entry) -> dict[str, dict[str, float]]:
    """Return the numbers that belong on other stages' runs, by the path of the file, without suffix, of each run."""
    found: dict[str, dict[str, float]] = {}
    for file, folder in meta_of(entry).scores.items():
        if (entry.root / file).is_file():
            for name, value in _all_scalars(entry.root / file):
                model, _, metric = name.partition("/")
                if metric and not isinstance(value, str) and math.isfinite(value):
                    found.setdefault(f"{folder}/{model}", {})[metric] = float(value)
    return found


def read_values(path: Path) -> Any:
    """Return the content of a JSON, YAML or TOML file, nothing for one that cannot be read."""
    try:
        if path.suffix in (".yaml", ".yml"):
            from dvc.utils.serialize import parse_yaml

            return parse_yaml(path.read_text(encoding="utf-8"), str(path))
        if path.suffix == ".toml":
            return tomllib.loads(path.read_text(encoding="utf-8"))
        return json.loads(path.read_bytes())
    except Exception:  # somebody else's file, in whatever state: it then has no numbers to show
        return {}


def read_table(path: Path) -> list[Mapping[str, Any]]:
    """Return the rows of a CSV, TSV, JSON or YAML table, none of one that cannot be read."""
    if path.suffix in (".json", ".yaml", ".yml"):
        rows = read_values(path)
        if isinstance(rows, dict):
            rows = next((value for value in rows.values() if isinstance(value, list)), [])
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if path.suffix not in TABLES:
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, delimiter=TABLES[path.suffix]))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _files(path: Path) -> list[Path]:
    """Return the file, or the files in the folder; none where there is neither."""
    return [file for file in (sorted(path.rglob("*")) if path.is_dir() else [path]) if file.is_file()]


def _short_name(file: Path, files: Sequence[Path], root: Path) -> str:
    alone = sum(other.stem == file.stem for other in files) == 1
    return file.stem if alone else file.relative_to(root).with_suffix("").as_posix()


def _curve(rows: Sequence[Mapping[str, Any]], x: str) -> list[Point]:
    steps = [_number(row.get(x)) for row in rows]
    counts = all(step is not None and step.is_integer() for step in steps)
    if not counts or any(after <= before for before, after in pairwise(step or 0.0 for step in steps)):
        return []
    return [
        Point(name, number, int(step))
        for row, step in zip(rows, steps, strict=True)
        for name, value in row.items()
        if step is not None and name and name != x and (number := _number(value)) is not None
    ]


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _all_scalars(path: Path) -> list[tuple[str, float | str]]:
    try:
        return list(_scalars(read_values(path)))
    except RecursionError:
        return []


def _scalars(value: Any, prefix: str = "") -> Iterator[tuple[str, float | str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _scalars(item, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(value, (bool, int, float, str)) and prefix:
        yield prefix, float(value) if not isinstance(value, str) else value


def _live_outs(entry: Entry) -> list[str]:
    """Return the outputs, or the folders of metrics files, that are DVCLive's: they hold its tables."""
    folders = dict.fromkeys([*entry.outs, *(str(Path(path).parent) for path in entry.metrics)])
    return [path for path in folders if (entry.root / path / LIVE_CURVES).is_dir()]


def _live_folders(entry: Entry) -> list[Path]:
    direct = [path for path in entry.plots if path.endswith(LIVE_CURVES) and (entry.root / path).is_dir()]
    return [
        entry.root / path for path in dict.fromkeys([*direct, *(f"{out}/{LIVE_CURVES}" for out in _live_outs(entry))])
    ]
