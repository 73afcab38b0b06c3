"""The tables of a report, the same ones in Markdown and on the page."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from provenn.report.compare import Report
from provenn.report.judgement import Metric

MARKS = {"better": "✅", "worse": "❌", "cannot tell": "❔"}


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
            [(_code(one.name), Cell(one.state), Cell(_some(one.why))) for one in report.stages],
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
    judgement = f"{MARKS.get(metric.judgement, '')} {metric.judgement}".strip()
    return (_code(metric.stage), _code(metric.name), *values, Cell(judgement, metric.judgement), Cell(metric.rule))


def _number(value: float | str | None, *, sign: bool = False) -> Cell:
    return Cell(f"{value:{'+' if sign else ''}.6g}" if isinstance(value, float) else value, "number")


def _code(text: str | None) -> Cell:
    return Cell(text, "code")


def _grouped(stages: Iterable[str]) -> str:
    """Return names of stages, the items of a loop as one with their number."""
    times = Counter(name.partition("@")[0] for name in stages)
    return ", ".join(f"{name} ({count})" if count > 1 else name for name, count in times.items())


def _some(items: Sequence[str]) -> str:
    return ", ".join(items[:4]) + (f" and {len(items) - 4} more" if len(items) > 4 else "")
