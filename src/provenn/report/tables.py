"""The tables of a report, the same ones in Markdown and on the page."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from provenn.report.changes import Stage
from provenn.report.compare import Report
from provenn.report.judgement import Metric


class Cell(NamedTuple):
    """A text, and what it is: code, a number, a judgement, or nothing special. None is an empty cell."""

    text: str | None
    kind: str = ""


class Table(NamedTuple):
    """A table with a title; each row has a cell for each name in the head."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def tables(report: Report) -> list[Table]:
    """Return the tables that have a row."""
    metrics = "stage", "metric", "before", "after", "difference", "judgement", "rule"
    found = [
        Table("Metrics", metrics, [_metric(one) for one in report.metrics]),
        Table(
            "Parameters",
            ("parameter", "before", "after", "read by"),
            [
                (_code(one.name), _code(one.before), _code(one.after), Cell(_grouped(one.stages)))
                for one in report.parameters
            ],
        ),
        Table(
            "Code and data",
            ("path", "what", "changed files", "reaches"),
            [
                (_code(one.path), Cell(f"{one.state} {one.kind}"), Cell(_some(one.files)), Cell(_grouped(one.reaches)))
                for one in report.sources
            ],
        ),
        Table(
            "Stages",
            ("stage", "result", "because of"),
            [
                (_code(_grouped(names)), Cell(state), Cell(why))
                for (_, state, why), names in _alike(report.stages).items()
            ],
        ),
        Table(
            "Reruns",
            ("stage", "came out", "signed by"),
            [(_code(one.stage), Cell(one.verdict), _code(one.key)) for one in report.reruns],
        ),
    ]
    return [table for table in found if table.rows]


def _metric(metric: Metric) -> tuple[Cell, ...]:
    values = [_number(metric.before), _number(metric.after), _number(metric.difference, sign=True)]
    return (
        _code(metric.stage),
        _code(metric.name),
        *values,
        Cell(metric.judgement, metric.judgement),
        Cell(metric.rule),
    )


def _number(value: float | str | None, *, sign: bool = False) -> Cell:
    return Cell(f"{value:{'+' if sign else ''}.6g}" if isinstance(value, float) else value, "number")


def _code(text: str | None) -> Cell:
    return Cell(text, "code")


def _alike(stages: Iterable[Stage]) -> dict[tuple[str, str, str], list[str]]:
    """Return the stages by their state and the reasons for it, as text, those of one name together."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in stages:
        found.setdefault((one.name.partition("@")[0], one.state, _some(one.why)), []).append(one.name)
    return found


def _grouped(stages: Iterable[str]) -> str:
    """Return names of stages, of a loop its name and how many items; a single one is named."""
    loops: dict[str, list[str]] = {}
    for name in stages:
        loops.setdefault(name.partition("@")[0], []).append(name)
    return ", ".join(f"{loop} ({len(names)})" if len(names) > 1 else names[0] for loop, names in loops.items())


def _some(items: Sequence[str]) -> str:
    return ", ".join(items[:4]) + (f" and {len(items) - 4} more" if len(items) > 4 else "")
