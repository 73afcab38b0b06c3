"""The command `provenn sweep`."""

import json
from typing import Annotated

import typer

from provenn.files import UserError
from provenn.repository import find_root
from provenn.terminal import Json, console


def sweep(
    stage: Annotated[str, typer.Argument(help="The stage that must come out, with all it needs.")],
    ranges: Annotated[
        list[str],
        typer.Option("--set-param", "-S", metavar="KEY=RANGE", help="A parameter and its values; again for more."),
    ],
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="Its name in the metrics files, val/loss, or file:name.")
    ],
    trials: Annotated[int, typer.Option("--trials", "-N", min=1, help="Trials in all, those that failed too.")],
    direction: Annotated[
        str | None,
        typer.Option(
            "--direction",
            help="minimize or maximize.",
            show_default="what `headline` says of it in dvc.yaml, or its name",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Trials at once.")] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another one tries other values.")] = 0,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0, metavar="SECONDS", help="No trial begins after so long.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option("--storage", metavar="URL", help="Another database for the study: postgresql://…"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for the parameters that make a metric best; each trial is an experiment of DVC.

    A parameter is named as in `dvc exp run -S`; its range is one of

      -S 'train.lr=loguniform(1e-4,1e-1)'   a number, each power of ten as likely
      -S 'train.dropout=uniform(0,0.5)'     a number
      -S 'train.layers=int(1,8)'            a whole number, both ends included
      -S 'train.sizes=choice([64],[64,32])' one of these

    Optuna (TPE) chooses the next values by what came out so far. A trial runs
    in a workspace of its own; your files stay as they are, and so must you
    leave them: changed sources are another sweep. A trial that fails stops no
    other.

    After Ctrl-C, or a machine that went down, the same command goes on: what
    is finished stays, what was at work runs again. A larger --trials adds to
    it. With the same seed, commit and -j 1, the trials are the same.

    MLflow shows the sweep, its trials below, their stages below these.

    Exits with 1 when no trial has a value.

    Example: provenn sweep train -S 'train.lr=loguniform(1e-4,1e-1)'
    --metric val/loss --trials 30 -j 2, then dvc exp apply with the name it prints
    """
    from provenn.sweep.search import read_search  # half of the time that all commands would take to be known

    search = read_search(find_root(), stage, ranges, metric, direction, seed)
    try:
        from provenn.sweep.study import sweep as carry_out
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise UserError("a sweep needs Optuna: install it with `pip install 'provenn[sweep]'`.") from None
    output = console(stderr=as_json)
    with output.status(f"{search.name}: up to {trials} trials; Ctrl-C stops, the same command goes on"):
        report = carry_out(
            search,
            trials=trials,
            jobs=jobs,
            timeout_s=timeout,
            storage=storage,
            tell=lambda line: output.print(line, highlight=False, markup=False),
        )
    print(json.dumps(report.as_dict(), indent=2) if as_json else report.sentence)
    raise typer.Exit(report.exit_code)
