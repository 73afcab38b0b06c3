"""The `provenn` command."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from provenn.files import UserError
from provenn.pipeline import gallery as studies_gallery
from provenn.pipeline import gate as promises
from provenn.pipeline import readme as readme_tables
from provenn.pipeline.results import ModelResult, load_results

app = typer.Typer(
    help="Provenn: neural networks from a reader's notes as one reproducible pipeline. `make repro` runs it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of a table.")]


def main() -> None:
    """Run the command line; a user's mistake is one sentence and exit code 1."""
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


@app.command()
def summary(as_json: Json = False) -> None:
    """Show every model's result on the test set, with its interval, and what to look at next."""
    results = load_results()
    if as_json:
        print(json.dumps([asdict(result) for result in results], indent=2))
        return
    console = Console()
    console.print(_results_table(results))
    console.print(
        "★ chosen on validation. p: the paired test of a network against its counterpart in scikit-learn.\n\n"
        "Next:\n"
        "  make ui                 every run side by side in MLflow, on this machine alone\n"
        "  dvc metrics show        the numbers; `dvc plots show` draws the pictures into dvc_plots/\n"
        "  results/evaluate/       figures and tables of each task\n"
        "  params.yaml             change a line, then `make repro`: only what depends on it runs again",
        highlight=False,
    )


@app.command()
def gate(as_json: Json = False) -> None:
    """Check the results against what the project promises; exit with 1 when one is broken."""
    checked = promises.check_promises()
    if as_json:
        print(json.dumps([asdict(promise) for promise in checked], indent=2))
    else:
        for promise in checked:
            print(f"{'kept  ' if promise.kept else 'BROKEN'}  {promise.text}: {promise.measured}")
    if not all(promise.kept for promise in checked):
        raise typer.Exit(1)


@app.command()
def readme(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 when a table is stale.")] = False,
) -> None:
    """Bring the README's tables up to date with results/."""
    stale = readme_tables.update(write=not check)
    if check and stale:
        raise UserError("README.md does not show the results in results/: run `provenn readme` and commit it.")
    print("README.md was updated." if stale else "README.md is up to date.")


@app.command()
def studies(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 when it is stale.")] = False,
) -> None:
    """Bring docs/studies.md, the gallery of the notes' claims, up to date with results/."""
    stale = studies_gallery.update(write=not check)
    if check and stale:
        raise UserError(f"{', '.join(map(str, stale))} do not show results/study: run `provenn studies` and commit.")
    print(f"{len(stale)} files of the gallery were updated." if stale else "docs/studies.md is up to date.")


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="The port on this machine; 0 takes a free one.")] = 5000,
) -> None:
    """Open MLflow on the pipeline's runs, reachable from this machine alone."""
    from provenn.tracking.server import serve

    raise typer.Exit(serve(port))


def _results_table(results: list[ModelResult]) -> Table:
    table = Table(title="Test results")
    for column, side in (("task", "left"), ("model", "left"), ("metric", "left")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for column in ("value", "95 % interval", "p"):
        table.add_column(column, justify="right")
    task = None
    for result in results:
        if task not in (None, result.task):
            table.add_section()
        task = result.task
        table.add_row(
            result.task,
            f"{result.model} ★" if result.champion else result.model,
            result.metric,
            f"{result.value:.4f}",
            f"{result.low:.4f} to {result.high:.4f}",
            "" if result.p_value is None else f"{result.p_value:.2g}",
        )
    return table
