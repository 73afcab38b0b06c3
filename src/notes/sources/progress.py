"""Progress of a download: a moving bar on a terminal, a few plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

Progress = Callable[[str, int, int | None], None]
"""Called with what is being fetched, the bytes so far, and the bytes in all (None when unknown)."""

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def show_progress(stream: TextIO | None = None) -> Iterator[Progress]:
    """Yield a `Progress` that draws on `stream` (standard error by default)."""
    stream = stream or sys.stderr
    if stream.isatty():
        with _bars(stream) as report:
            yield report
    else:
        yield _lines(stream)


@contextmanager
def _bars(stream: TextIO) -> Iterator[Progress]:
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=Console(file=stream)) as display:
        bars: dict[str, progress.TaskID] = {}

        def report(what: str, done: int, total: int | None) -> None:
            if what not in bars:
                bars[what] = display.add_task(what, total=None)
            display.update(bars[what], completed=done, total=total)

        yield report


def _lines(stream: TextIO) -> Progress:
    printed_at: dict[str, float] = {}

    def report(what: str, done: int, total: int | None) -> None:
        # The clock of a file starts at its first report, so that a quick one prints its last line only.
        now = time.monotonic()
        finished = total is not None and done >= total
        if finished or now - printed_at.setdefault(what, now) >= SECONDS_BETWEEN_LINES:
            printed_at[what] = now
            size = f"{done / 1e6:.1f} MB" + ("" if finished or total is None else f" of {total / 1e6:.1f} MB")
            print(f"{what}: {size}", file=stream, flush=True)

    return report
