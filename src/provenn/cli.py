"""The `provenn` command."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
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
def repro(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            help="Stages (evaluate@mnist) or groups of them (train_mlp), with all they need; else everything."
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Stages at once.", show_default="cores")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run every stage whose data, parameters or code changed, side by side.

    The result is that of `dvc repro`, byte for byte, dvc.lock included.
    A stage that DVC finds in its cache is restored instead of run.

    A stage that fails stops what needs it and nothing else. Its log is shown
    at the end; all logs are in .dvc/tmp/provenn/logs/.

    Ctrl-C ends all stages; the next repro goes on from there.

    Exits with 0 when everything is up to date, 1 when a stage failed,
    2 when params.yaml has a mistake.

    Examples: provenn repro · provenn repro train_mlp -j 1
    """
    from provenn.params import load_network_params
    from provenn.pipeline.live import make_view, show_failure
    from provenn.pipeline.runner import available_cores, reproduce

    try:
        load_network_params()
    except UserError as error:  # before DVC deletes the outputs of any stage
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    view, shown = make_view(as_json)
    with shown:
        report = reproduce(targets or (), jobs or available_cores(), view)
    for name in report.failed:
        show_failure(name, report.logs[name], sys.stderr)
    print(json.dumps(report.as_json(), indent=2) if as_json else report.sentence)
    raise typer.Exit(report.exit_code)


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
        "★ chosen on validation   p: paired test against the counterpart in scikit-learn\n\n"
        "Next:\n"
        "  make ui             every run side by side in MLflow, on this machine alone\n"
        "  results/evaluate/   figures and tables of each task\n"
        "  params.yaml         change a line, then `make repro`: only what needs it runs\n"
        "  README.md           experiments, lineage, tracking servers, remotes",
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
def sync(
    uri: Annotated[str | None, typer.Option(help="Another store or server to project into.")] = None,
    all_commits: Annotated[bool, typer.Option("--all-commits", help="Project git's history too.")] = False,
    as_json: Json = False,
) -> None:
    """Make MLflow agree with dvc.lock: add what is missing from the files; exit with 1 when a file is nowhere."""
    from provenn.pipeline.sync import synchronise

    report = synchronise(uri=uri, all_commits=all_commits)
    if as_json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        Console().print(report.table())
    if not report.complete:
        raise typer.Exit(1)


@app.command()
def lineage(
    target: Annotated[str, typer.Argument(help="A run's id, a file, a stage, or models:/<name>@champion.")],
    as_json: Json = False,
) -> None:
    """Show where a result comes from and what was made of it: commit, data, parameters, run, metrics, export."""
    from provenn.pipeline.lineage import as_tree, trace

    chain = trace(target, Path.cwd())
    if as_json:
        print(json.dumps(chain, indent=2))
    else:
        Console().print(as_tree(chain), highlight=False, soft_wrap=True)


@app.command()
def reproduce(
    target: Annotated[str, typer.Argument(help="A run's id, a file, a stage, or models:/<name>@champion.")],
    keep: Annotated[bool, typer.Option("--keep", help="Leave the clone in which it ran.")] = False,
    as_json: Json = False,
) -> None:
    """Run a result again from its commit and compare: exit 0 bit-identical, 3 within tolerance, 1 different."""
    from provenn.pipeline.reproduce import reproduce as run_again

    answer = run_again(target, Path.cwd(), keep=keep)
    if as_json:
        print(json.dumps(asdict(answer), indent=2))
    else:
        Console().print(answer.table())
    raise typer.Exit(answer.exit_code)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="The port on this machine; 0 takes a free one.")] = 5000,
) -> None:
    """Open MLflow on the pipeline's runs, reachable from this machine alone."""
    from provenn.tracking.server import serve

    raise typer.Exit(serve(port))


def _results_table(results: list[ModelResult]) -> Table:
    table = Table(title="Test results")
    table.add_column("model", no_wrap=True)
    table.add_column("metric")
    for column in ("value", "95 % interval", "p"):
        table.add_column(column, justify="right", no_wrap=True)
    task = results[0].task
    for result in results:
        if result.task != task:
            table.add_section()
        task = result.task
        table.add_row(
            f"{result.model} ★" if result.champion else result.model,
            result.metric,
            f"{result.value:.4f}",
            f"{result.low:.4f} to {result.high:.4f}",
            "" if result.p_value is None else f"{result.p_value:.2g}",
        )
    return table
