"""What a person sees of a pipeline run: a table that moves on a terminal, plain lines elsewhere."""

import sys
import time
from collections import Counter, deque
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from provenn.repro.processes import Outcome
from provenn.repro.work import Work

FAILED_LOG_LINES = 40
_MARKS: dict[Outcome, str] = {
    "ran": "[green]✓[/] done     ",
    "restored": "[cyan]↺[/] restored ",
    "unchanged": "[dim]·[/] unchanged",
    "failed": "[red]✗[/] failed   ",
    "skipped": "[yellow]-[/] skipped  ",
    "stopped": "[yellow]■[/] stopped  ",
}


class PlainView:
    """One line for each stage that starts and ends; nothing for those that are unchanged."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._began = time.monotonic()

    def started(self, process: Work) -> None:
        """Print the stage's name."""
        self._print(f"start      {process.name}")

    def finished(self, name: str, outcome: Outcome, seconds: float) -> None:
        """Print what became of the stage."""
        if outcome != "unchanged":
            took = f" ({seconds:.1f} s)" if seconds else ""
            self._print(f"{'done' if outcome == 'ran' else outcome:10} {name}{took}")

    def note(self, text: str) -> None:
        """Print `text`."""
        self._print(text)

    def _print(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {text}", file=self._output, flush=True)


class LiveView:
    """A table of the running stages below the last lines of finished ones, redrawn four times a second."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._running: dict[str, Work] = {}
        self._counts: Counter[Outcome] = Counter()

    def shown(self) -> AbstractContextManager[object]:
        """Return the context in which the table is on the screen."""
        return Live(
            console=self._console,
            get_renderable=self._table,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,  # colorama, which DVC starts, would keep what stands there in its place to the end
        )

    def started(self, process: Work) -> None:
        """Add the stage to the table."""
        self._running = self._running | {process.name: process}

    def finished(self, name: str, outcome: Outcome, seconds: float) -> None:
        """Take the stage out of the table and print what became of it."""
        self._running = {other: process for other, process in self._running.items() if other != name}
        self._counts[outcome] += 1
        if outcome != "unchanged":
            took = f"{seconds:6.1f} s" if seconds else " " * 8
            self._console.print(f"{_MARKS[outcome]} {took}  {escape(name)}", highlight=False)

    def note(self, text: str) -> None:
        """Print `text` above the table."""
        self._console.print(text, highlight=False, markup=False)

    def _table(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, show_header=False, expand=True)
        table.add_column(no_wrap=True, style="bold")
        table.add_column(justify="right", no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis", style="dim")
        for process in self._running.values():
            table.add_row(escape(process.name), f"{process.seconds:.0f} s", Text(process.last_line()))
        counts = ", ".join(
            f"{count} {'done' if outcome == 'ran' else outcome}" for outcome, count in self._counts.items()
        )
        elapsed = f"{time.monotonic() - self._began:.0f} s: {len(self._running)} running"
        return Group(table, Text(f"{elapsed}, {counts}" if counts else elapsed, style="cyan"))


def make_view(as_json: bool) -> tuple[PlainView | LiveView, AbstractContextManager[object]]:
    """Return the view that fits where the output goes, and the context in which to use it.

    With `as_json` standard output belongs to the report, so that the lines go to standard error.
    """
    if not as_json and sys.stdout.isatty():
        view = LiveView(Console())
        return view, view.shown()
    return PlainView(sys.stderr if as_json else sys.stdout), nullcontext()


def show_failure(name: str, log: Path, output: TextIO) -> None:
    """Print the end of a failed stage's log, and where the rest of it is."""
    with log.open(errors="replace") as lines:
        end = deque(lines, FAILED_LOG_LINES)
    print(f"\n{name} failed. The end of {log}:\n\n{''.join(end).strip()}\n", file=output, flush=True)
