"""What every stage script does around its story: arguments, one-sentence errors, exit codes, progress."""

import atexit
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import typer

from notes.files import UserError


def run_script(main: Callable[..., Any]) -> None:
    """Run a stage's `main` with the command line's arguments; a UserError is one sentence and exit code 1."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except SystemExit as left:
        code = left.code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt as error:
        print(f"error: stopped, {error or 'interrupted'}.", file=sys.stderr)
        code = 130
    _leave(code)


def _leave(code: str | int | None) -> NoReturn:
    """Exit without taking apart, module by module, what the operating system is about to free anyway."""
    if isinstance(code, str):
        sys.exit(code)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def section(sections: Mapping[str, Any], name: str, path: str) -> Any:
    """Return the section of params.yaml called `name`; raise UserError that lists the ones there are."""
    if name not in sections:
        raise UserError(f"params.yaml has no {path}.{name}: choose one of {', '.join(sections)}.")
    return sections[name]


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
