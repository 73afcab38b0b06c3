"""`python -m notes`: the results as a table, the pages that show them, and the book."""

import functools
import http.server
import json
import sys
import webbrowser
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from notes.data.tasks import TASKS
from notes.files import UserError
from notes.pages import gallery
from notes.pages import readme as readme_tables
from notes.pages.results import ModelResult, evaluated, load_results

app = typer.Typer(
    help="The reader's notes on neural networks: their results, and the pages that show them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
SITE = Path("book/site")
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 when it is stale.")]


def main() -> None:
    """Run the command line; a user's mistake is one sentence and exit code 1."""
    try:
        app(prog_name="python -m notes")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


@app.command()
def summary(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of a table.")] = False,
) -> None:
    """Show every model's result on the test set, with its interval, and what to look at next."""
    tasks = evaluated()
    results = load_results(tasks=tasks)
    if as_json:
        print(json.dumps([asdict(result) for result in results], indent=2))
        return
    missing = [f"{name}: not evaluated yet, run `dvc repro evaluate@{name}`\n" for name in TASKS if name not in tasks]
    console = Console()
    console.print(_results_table(results))
    console.print(_comparisons_table(results))
    console.print(
        "★ chosen on validation   p: paired test, after Holm over a task's comparisons\n"
        + "".join(missing)
        + "\nNext:\n"
        "  make ui                    every run side by side in MLflow, on this machine alone\n"
        "  make book                  the notes with these results, to read and to touch\n"
        "  results/draw_evaluation/   the figures of each task, results/evaluate/ its tables\n"
        "  params.yaml                change a line, then `make repro`: only what needs it runs\n"
        "  README.md                  experiments, lineage, tracking servers, remotes",
        highlight=False,
    )


@app.command()
def readme(check: Check = False) -> None:
    """Bring the README's tables up to date with results/."""
    if check:
        print(readme_tables.check())
    else:
        print("README.md was updated." if readme_tables.update() else "README.md is up to date.")


@app.command()
def studies(check: Check = False) -> None:
    """Bring docs/studies.md, the gallery of the notes' claims, up to date with results/."""
    if check:
        print(gallery.check())
        return
    stale = gallery.update()
    print(f"{len(stale)} files of the gallery were updated." if stale else "docs/studies.md is up to date.")


@app.command()
def book(
    port: Annotated[
        int, typer.Option(help="On which the book is served, to this machine alone.", min=1, max=65535)
    ] = 8000,
) -> None:
    """Open the book that `make book` has built in a browser; Ctrl-C ends it."""
    if not (SITE / "index.html").is_file():
        raise UserError(f"{SITE} is not there yet: build it with `make book`.")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(SITE))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise UserError(f"port {port} can not be had ({error.strerror}): choose another with --port.") from None
    address = f"http://127.0.0.1:{port}/"
    print(f"The book is at {address} until Ctrl-C ends this.", flush=True)
    webbrowser.open(address)
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()


def _results_table(results: list[ModelResult]) -> Table:
    table = Table(title="Test results")
    table.add_column("model", no_wrap=True)
    table.add_column("metric")
    for column in ("rows", "value", "95 % interval"):
        table.add_column(column, justify="right", no_wrap=True)
    task = results[0].task
    for result in results:
        if result.task != task:
            table.add_section()
        task = result.task
        table.add_row(
            f"{result.model} ★" if result.champion else result.model,
            result.metric,
            f"{result.rows:,}",
            f"{result.value:.4f}",
            f"{result.low:.4f} to {result.high:.4f}",
        )
    return table


def _comparisons_table(results: list[ModelResult]) -> Table:
    table = Table(title="Against scikit-learn")
    table.add_column("network", no_wrap=True)
    table.add_column("what differs")
    table.add_column("finding", no_wrap=True)
    for result in results:
        if result.comparison:
            table.add_row(result.model, result.comparison.differs, result.comparison.conclusion)
    return table


if __name__ == "__main__":
    main()
