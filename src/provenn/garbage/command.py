"""The command `provenn gc`."""

import json
from typing import Annotated

import typer

from provenn.repository import find_root
from provenn.terminal import Json, console


def gc(
    force: Annotated[bool, typer.Option("--force", "-f", help="Remove it, for good.")] = False,
    as_json: Json = False,
) -> None:
    """Show what nothing needs in DVC's cache and in MLflow; with --force remove it.

    Needed is what a lock or a .dvc file names: of any commit of a branch, tag
    or stash, of an experiment of DVC, also a queued one, of git's index and
    of the working folder. Files outside of the caches are never touched.

    Of MLflow's runs those stay that show such a result, that are at work or
    that `provenn` did not make, and those that somebody holds on to: by the
    tag provenn.keep, or by a registered version with an alias, a tag or a
    description of its own. The outputs of such a run stay as well.

    A run that `dvc exp remove` or an amended commit left behind goes, and so
    do failed runs, and what was deleted in MLflow's UI.

    Examples: provenn gc · dvc exp remove -A && provenn gc --force
    """
    from provenn.garbage.collect import collect

    report = collect(find_root(), force=force)
    if as_json:
        print(json.dumps(report.as_dict(), indent=2))
        return
    if any(found.items for found in report.garbage):
        console().print(report.table())
    print("\n".join([*report.notes, report.sentence]))
