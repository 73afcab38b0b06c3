"""The metrics of two sides, read from their files, with what is needed to judge each."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from provenn.entry import Entry
from provenn.files import UserError
from provenn.report.judgement import Interval, Metric, direction, mcnemar, paired_normal
from provenn.report.side import NOTHING, Side, written
from provenn.view import contents
from provenn.view.meta import Columns, meta_of

# The mean of a row's loss is the metric, or this function of it is: by the word in the metric's name.
_OF_CLASSES: dict[str, Callable[[float], float]] = {"accuracy": lambda mean: 1 - mean, "error": lambda mean: mean}
_OF_NUMBERS: dict[str, Callable[[float], float]] = {
    "rmse": math.sqrt,
    "mse": lambda mean: mean,
    "mae": lambda mean: mean,
}


@dataclass(frozen=True)
class _Rows:
    """A table of predictions on both sides, of the same rows."""

    truth: list[str]
    before: list[str]
    after: list[str]


def compared(base: Side, head: Side) -> list[Metric]:
    """Return the metrics of stages whose metrics are not the same on both sides, each with both values.

    Raises UserError for a declaration of predictions that names no column of its table.
    """
    found: list[Metric] = []
    declared = any(meta_of(entry).headline for side in (base, head) for entry in side.entries.values())
    for name in dict.fromkeys([*head.entries, *base.entries]):
        before, after = base.entries.get(name, NOTHING), head.entries.get(name, NOTHING)
        if written(before, before.metrics) != written(after, after.metrics):
            found += _of_stage(base, head, before, after, declared)
    return found


def _of_stage(base: Side, head: Side, before: Entry, after: Entry, declared: bool) -> Iterator[Metric]:
    """Yield the metrics of a stage; where any stage has `declared` what decides, one of unknown direction does not."""
    either = before if after is NOTHING else after
    (before, has_old), (after, has_new) = base.bring(before, before.metrics), head.bring(after, after.metrics)
    if not has_old or not has_new:
        yield Metric(either.name, ", ".join(either.metrics), None, None, decides=True)
        return
    (old, old_texts), (new, new_texts) = contents.metrics(before), contents.metrics(after)
    headline: dict[str, str] = dict(meta_of(either).headline)
    rows = list(_predictions(base, head, before, after)) if before.name and after.name else []
    ends = {end for name in (old | new) for numbers in (old, new) for end in _ends(name, numbers)}
    for name in dict.fromkeys([*headline, *new, *old]):
        if name in ends or (name not in old and name not in new) or old.get(name) == new.get(name):
            continue
        intervals = _interval(name, old), _interval(name, new)
        end = direction(name, headline)
        test, p_value = _paired(name, old.get(name), new.get(name), rows)
        yield Metric(
            stage=either.name,
            name=name,
            before=old.get(name),
            after=new.get(name),
            direction=end,
            decides=name in headline or (not headline and (end != 0 or not declared)),
            p_value=p_value,
            test=test,
            intervals=(intervals[0], intervals[1]) if intervals[0] and intervals[1] else None,
        )
    for name in dict.fromkeys([*new_texts, *old_texts]):
        if old_texts.get(name) != new_texts.get(name):
            yield Metric(either.name, name, old_texts.get(name), new_texts.get(name))


def _ends(name: str, numbers: Mapping[str, float]) -> tuple[str, ...]:
    """Return the names of both ends of a metric's interval, where both are there: x_low, or test_interval/x_low."""
    prefix, separator, last = re.fullmatch(r"(.*?)([/.]?)([^/.]*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    for stem in (name, f"{prefix}_interval{separator}{last}"):
        ends = f"{stem}_low", f"{stem}_high"
        if all(end in numbers for end in ends):
            return ends
    return ()


def _interval(name: str, numbers: Mapping[str, float]) -> Interval | None:
    ends = _ends(name, numbers)
    return (numbers[ends[0]], numbers[ends[1]]) if ends else None


def _predictions(base: Side, head: Side, before: Entry, after: Entry) -> Iterator[_Rows]:
    for file, columns in meta_of(after).predictions.items():
        old = _columns(base.bring(before, [file])[0], file, columns, required=False)
        new = _columns(head.bring(after, [file])[0], file, columns, required=True)
        if old and new and old[0] == new[0]:
            yield _Rows(old[0], old[1], new[1])


def _columns(entry: Entry, file: str, columns: Columns, *, required: bool) -> tuple[list[str], list[str]] | None:
    rows: list[Mapping[str, Any]] = contents.read_table(entry.root / file)
    for column in (columns.truth, columns.prediction):
        if rows and column not in rows[0]:
            if required:
                place = f"dvc.yaml, stage {entry.name}: meta.provenn.predictions: {file}"
                raise UserError(f"{place} has no column {column}: it has {', '.join(map(str, rows[0]))}.")
            return None
    if not rows:
        return None
    return [str(row[columns.truth]) for row in rows], [str(row[columns.prediction]) for row in rows]


def _paired(name: str, before: float | None, after: float | None, tables: list[_Rows]) -> tuple[str, float | None]:
    """Return a test and its p-value, when a table's rows give the metric on both sides."""
    words = re.findall(r"[a-z]+", name.lower())
    for rows in tables:
        for word in words if before is not None and after is not None else ():
            losses = [_losses(word, rows.truth, predicted) for predicted in (rows.before, rows.after)]
            if not losses[0] or not losses[1]:
                continue
            score = (_OF_CLASSES | _OF_NUMBERS)[word]
            if all(_agrees(value, score(fmean(loss))) for value, loss in zip((before, after), losses, strict=True)):
                if word in _OF_CLASSES:
                    return "paired, McNemar", mcnemar(*losses)
                return f"paired, {'absolute' if word == 'mae' else 'squared'} errors", paired_normal(*losses)
    return "", None


def _losses(word: str, truth: list[str], predicted: list[str]) -> list[float]:
    """Return the loss of each row: that whose mean gives the metric; none for another metric, or for text."""
    if word in _OF_CLASSES:
        return [float(one != other) for one, other in zip(truth, predicted, strict=True)]
    if word not in _OF_NUMBERS:
        return []
    try:
        errors = [float(other) - float(one) for one, other in zip(truth, predicted, strict=True)]
    except ValueError:
        return []
    return [abs(error) if word == "mae" else error**2 for error in errors]


def _agrees(value: float | None, computed: float) -> bool:
    """Return whether a metric is what the rows give, by as many decimals as it has."""
    if value is None or math.isclose(value, computed, rel_tol=1e-6):
        return value is not None
    decimals = len(repr(value).partition(".")[2])  # 0.9 may be a whole 0.9
    return decimals > 1 and round(computed, decimals) == value
