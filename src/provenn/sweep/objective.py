"""What a sweep looks for: a metric by its name in the metrics files, and which end of it is best."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from provenn.entry import Entry
from provenn.files import UserError
from provenn.metric_files import Direction, better_end, find, finite_number, known, leaves, read_values
from provenn.view.meta import meta_of


@dataclass(frozen=True)
class Objective:
    """A number of one of the `files`: `key`, its parts joined by / or by dots."""

    key: str
    files: tuple[str, ...]
    direction: Direction

    def value(self, contents: Mapping[str, Any]) -> float:
        """Return the number, of metrics files by path; raise UserError unless there is one, and it is finite."""
        file, found = self.place(contents)
        return float(finite_number(found, f"{file}:{self.key}"))

    def place(self, contents: Mapping[str, Any]) -> tuple[str, Any]:
        """Return the file that has the metric, and its value there; raise UserError unless it is exactly one."""
        named = {path: leaves(content) for path, content in contents.items() if path in self.files}
        found = [(path, value) for path, names in named.items() for value in find(names, self.key).values()]
        if len(found) > 1:
            choices = " or ".join(dict.fromkeys(f"{path}:{self.key}" for path, _ in found))
            raise UserError(f"--metric {self.key} names {len(found)} numbers: say {choices}, whole names alone.")
        if not found:
            names = {path: value for leaf in named.values() for path, value in leaf.items()}
            raise UserError(f"--metric {self.key} is in none of {', '.join(self.files)}: {known(names, self.key)}")
        return found[0]


def read_objective(metric: str, direction: str | None, stages: Mapping[str, Entry], root: Path) -> Objective:
    """Return what `--metric` and `--direction` mean for the stages that a trial runs.

    Raises UserError for a metric that is none of theirs, as far as their files are there, and an end that is unclear.
    """
    file, _, key = metric.rpartition(":")
    files = tuple(dict.fromkeys(path for stage in stages.values() for path in stage.metrics))
    if not files:
        raise UserError(f"{', '.join(stages)} write no metrics: name their file under `metrics` in dvc.yaml.")
    if file and file not in files:
        raise UserError(f"--metric {metric}: {file} is no metrics file of these stages; they have {', '.join(files)}.")
    files = (file,) if file else files
    objective = Objective(key, files, _direction(key, direction, stages))
    here = {path: read_values(root / path) for path in files if (root / path).is_file()}
    if len(here) == len(files):
        objective.place(here)
    return objective


def _direction(key: str, given: str | None, stages: Mapping[str, Entry]) -> Direction:
    if given:
        if given not in get_args(Direction):
            raise UserError(f"--direction {given} is neither minimize nor maximize.")
        return cast(Direction, given)
    for stage in stages.values():
        for name, end in meta_of(stage).headline.items():
            if name.replace(".", "/") == key.replace(".", "/"):
                return end
    by_name = better_end(key)
    if by_name is None:
        raise UserError(f"is {key} better small or large? Add --direction minimize or --direction maximize.")
    return by_name
