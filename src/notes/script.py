"""What every stage script does around its story: arguments, one-sentence errors, exit codes, progress."""

import functools
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import typer
from threadpoolctl import threadpool_limits

from notes.files import UserError


def run_script(main: Callable[..., None]) -> None:
    """Run a stage's `main` with the command line's arguments, on OMP_NUM_THREADS threads, one unless it is set.

    A UserError is one sentence and exit code 1; Ctrl-C and SIGTERM give 130.
    """

    @functools.wraps(main)
    def guarded(*arguments: Any, **options: Any) -> None:
        threads = os.environ.setdefault("OMP_NUM_THREADS", "1")
        try:
            with threadpool_limits(int(threads)):
                main(*arguments, **options)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        except KeyboardInterrupt as error:
            print(f"error: stopped, {str(error) or 'interrupted'}.", file=sys.stderr)
            raise typer.Exit(130) from None

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(guarded)
    app()


class Progress:
    """Prints a line of progress a second at most, and the first and the last record always."""

    def __init__(self, total: int | None = None, unit: str = "epoch") -> None:
        self.total = total
        self.unit = unit
        self._shown_at = 0.0
        self._pending: str | None = None

    def show(self, record: Mapping[str, float]) -> None:
        """Print `record` unless a line was printed within the last second."""
        numbers = "  ".join(
            f"{name} {value:.4g}" for name, value in record.items() if name.startswith(("train/", "val/"))
        )
        of = f"/{self.total}" if self.total else ""
        line = f"{self.unit} {int(record['epoch'])}{of}  {numbers}"
        now = time.monotonic()
        if now - self._shown_at >= 1.0:
            print(line, flush=True)
            self._shown_at, self._pending = now, None
        else:
            self._pending = line

    def close(self) -> None:
        """Print the last record if it is not on the screen yet."""
        if self._pending:
            print(self._pending, flush=True)
