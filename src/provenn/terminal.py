"""What commands share: the option for scripts, and where tables are printed."""

import sys
from typing import Annotated

import typer
from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of text.")]
WIDE = 400  # columns


def console(*, stderr: bool = False) -> Console:
    """Return standard output, or standard error; in a pipe nothing is cut to the width of a terminal."""
    return Console(stderr=stderr, width=None if sys.stdout.isatty() else WIDE)
