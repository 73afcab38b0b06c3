"""What `-S` says: the values among which a parameter is chosen."""

import math
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provenn.files import UserError
from provenn.metric_files import known, leaves, read_values

if TYPE_CHECKING:
    from optuna.trial import Trial

KINDS = "uniform(low,high), loguniform(low,high), int(low,high) or choice(a,b,…)"


@dataclass(frozen=True)
class Range:
    """The values of one parameter, whose name is that of `dvc exp run -S`: `train.lr`, or `other.yaml:train.lr`."""

    param: str
    kind: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}({','.join(self.values)})"

    @property
    def file(self) -> str:
        """The file of the parameter, below the root."""
        return self.param.rpartition(":")[0] or "params.yaml"

    @property
    def key(self) -> str:
        """The parameter's name in its file."""
        return self.param.rpartition(":")[2]

    def suggest(self, trial: "Trial") -> str:
        """Return the value that a trial has or, when it is new, is given, as the text to write."""
        if self.kind == "choice":
            return str(trial.suggest_categorical(self.param, self.values))
        low, high = map(float, self.values)
        if self.kind == "int":
            return str(trial.suggest_int(self.param, int(low), int(high)))
        return repr(trial.suggest_float(self.param, low, high, log=self.kind == "loguniform"))


def read_ranges(texts: Iterable[str], root: Path) -> list[Range]:
    """Return the ranges of `-S` options; raise UserError for one that cannot be meant."""
    ranges = [_parse(text) for text in texts]
    if not ranges:
        raise UserError(f"nothing varies: name a parameter with -S key=range, a range being {KINDS}.")
    twice = [param for param, times in Counter(found.param for found in ranges).items() if times > 1]
    if twice:
        raise UserError(f"-S names {twice[0]} more than once: give it one range.")
    for found in ranges:
        _try_out(found, root)
    return ranges


def _parse(text: str) -> Range:
    match = re.fullmatch(r"\s*([^=\s]+)=\s*(uniform|loguniform|int|choice)\((.*)\)\s*", text)
    if not match:
        raise UserError(f"-S {text} is not key=range: a range is {KINDS}; quote it for the shell.")
    values = tuple(part.strip() for part in _split(match[3]))
    found = Range(match[1], match[2], values)
    if found.kind == "choice":
        if not all(values) or len(set(values)) < len(values):
            raise UserError(f"-S {text}: the values of a choice are different, and none is empty.")
        return found
    numbers = [_number(value, whole=found.kind == "int") for value in values]
    if len(numbers) != 2 or None in numbers:
        kind = "whole numbers" if found.kind == "int" else "numbers"
        raise UserError(f"-S {text}: {found.kind} takes two {kind}, {found.kind}(low,high).")
    low, high = (number or 0.0 for number in numbers)
    if low >= high:
        raise UserError(f"-S {text}: the low end, {values[0]}, is not below the high end, {values[1]}.")
    if found.kind == "loguniform" and low <= 0:
        raise UserError(f"-S {text}: a logarithm needs a low end above 0; use uniform where 0 is meant.")
    return found


def _split(inside: str) -> list[str]:
    """Return the parts between commas, but for those in a list such as [64,32]."""
    parts, depth = [""], 0
    for letter in inside:
        depth += (letter in "[{(") - (letter in "]})")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _number(text: str, *, whole: bool) -> float | None:
    try:
        number = float(int(text)) if whole else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _try_out(found: Range, root: Path) -> None:
    """Let DVC write a value, or each choice, into a copy of the file."""
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    file = root / found.file
    if not file.is_file():
        raise UserError(f"-S {found.param}: {file} is missing; another file's parameter is named file:key.")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(file, folder))
        for value in found.values:
            try:
                apply_overrides(copy, [f"{found.key}={value}"])
            except DvcException:
                names = leaves(read_values(file))
                if found.key.lstrip("+") in map(".".join, names):
                    raise UserError(f"-S {found.param}: {value} is no value that DVC can write: quote it.") from None
                near = known(names, found.key).replace("/", ".")
                raise UserError(f"-S {found.param}: {found.file} has no {found.key}: {near}") from None
