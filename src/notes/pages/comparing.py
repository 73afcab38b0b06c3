"""Whether a committed page shows the results that are here: to the digit on the numeric platform that made it.

On another one the last bits of a training differ, and with them a page's numbers. There they must be the same result:
each within what the page itself says of its uncertainty.
"""

import platform
import re
from collections.abc import Callable
from pathlib import Path

from notes.files import UserError
from notes.numeric import numeric_platform
from notes.settings import read_yaml

MARK = re.compile(r"<!-- Numbers made on (.*?) -->")
SHOWN = 3
# The differences between the page and the one made here, each in a few words; none when all are within tolerance.
Tolerant = Callable[[str, str], list[str]]


def mark(root: Path) -> str:
    """Return the comment by which a page says on which numeric platform its numbers were made: this one."""
    return f"<!-- Numbers made on {here(root)} -->"


def here(root: Path) -> str:
    """Return what the bits of the results in a repository depend on: `x86_64 portable AVX2`."""
    return f"{platform.machine()} {numeric_platform(read_yaml(root / 'params.yaml')['numeric'])}"


def same(shown: str, made: str) -> bool:
    """Return whether two pages have the same text, wherever they were made."""
    return MARK.sub("", shown) == MARK.sub("", made)


def made_elsewhere(shown: str, root: Path) -> str | None:
    """Return the numeric platform on which a page's numbers were made, if that is not this one."""
    found = MARK.search(shown)
    return found[1] if found and found[1] != here(root) else None


def check(page: Path, shown: str, made: str, tolerant: Tolerant, command: str, root: Path) -> str:
    """Return a sentence on a page that shows what was `made`; raise UserError, which names `command`, for another."""
    if same(shown, made):
        return f"{page} is up to date."
    elsewhere = made_elsewhere(shown, root)
    if not elsewhere:
        raise UserError(f"{page} does not show what is in results/: run `{command}` and commit it.")
    different = tolerant(shown, made)
    if different:
        more = f" and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
        raise UserError(
            f"{page} shows other results than those in results/, also for two numeric platforms ({elsewhere}, here "
            f"{here(root)}): {'; '.join(different[:SHOWN])}{more}: run `{command}` and commit it."
        )
    return (
        f"{page} shows the numbers of {elsewhere}. Those made here, on {here(root)}, differ, and are the same results: "
        "each lies within the interval that the page shows."
    )
