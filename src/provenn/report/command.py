"""The command `provenn report`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from provenn.files import write_bytes
from provenn.repository import find_root
from provenn.terminal import Json

FAILED = 3  # exit code


def report(
    base: Annotated[str, typer.Option(metavar="REV", help="The commit, branch or tag to compare with.")] = "HEAD",
    head: Annotated[
        str | None, typer.Option(metavar="REV", help="What to compare.", show_default="the working folder")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="A file for the Markdown, instead of printing it.")] = None,
    html: Annotated[Path | None, typer.Option(help="A file for a page with the figures, complete by itself.")] = None,
    fail_if_worse: Annotated[bool, typer.Option("--fail-if-worse", help="Exit with 3 when a metric is worse.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a change did: parameters, code, data, stages, metrics and figures, before and after.

    A metric is better, worse, or it cannot be told: by a paired test where a
    stage declares its table of predictions, one row a test row, or else by
    whether intervals (x_low and x_high beside x, or x_interval/…) are apart.

      meta:
        provenn:
          headline: {test/accuracy: maximize}  # which end is up; these decide
          predictions:
            predictions.csv: {truth: label, prediction: predicted}

    Where a stage has no headline, the name says which end is up (accuracy,
    loss, …), and every metric counts; but of which nobody says it, only while
    no stage has one. Nothing is run: a stage that is not up to date is named,
    and its metrics are the recorded ones.

    Exits with 0, or with 1 when the report cannot be made.

    Examples: provenn report · provenn report --base main --html report.html
    """
    from provenn.report.compare import compare
    from provenn.report.html import as_html
    from provenn.report.judgement import WORSE
    from provenn.report.markdown import as_markdown

    with compare(find_root(), base, head) as found:
        if html:
            write_bytes(html, as_html(found).encode())
        if markdown:
            write_bytes(markdown, as_markdown(found).encode())
        print(json.dumps(found.as_json(), indent=2) if as_json else found.sentence if markdown else as_markdown(found))
    raise typer.Exit(FAILED if fail_if_worse and found.verdict == WORSE else 0)
