"""Whether a committed page shows the results that are here: to the digit on the kind of processor that made it.

On another kind the last bits of a training differ, and with them a page's numbers; there its structure is compared.
"""

import platform
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from notes.files import UserError

MARK = re.compile(r"<!-- Numbers made on (.*?) -->")


def mark() -> str:
    """Return the comment by which a page says on which kind of processor its numbers were made: this one."""
    return f"<!-- Numbers made on {processor()} -->"


def processor() -> str:
    """Return what BLAS and torch choose their kernels by: architecture, vendor and widest vector instructions."""
    words = [platform.machine()]
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()
        words += re.findall(r"^vendor_id\s*: (\S+)", text, re.MULTILINE)[:1]
        words += [name.upper() for name in ("avx512f", "avx2", "asimd") if re.search(rf"\b{name}\b", text)][:1]
    return " ".join(words)


def same(shown: str, made: str) -> bool:
    """Return whether two pages have the same text, wherever they were made."""
    return MARK.sub("", shown) == MARK.sub("", made)


def made_elsewhere(shown: str) -> str | None:
    """Return the kind of processor on which a page's numbers were made, if that is not this one."""
    found = MARK.search(shown)
    return found[1] if found and found[1] != processor() else None


def check(page: Path, shown: str, made: str, structure: Callable[[str], Any], command: str) -> str:
    """Return a sentence on a page that shows what was `made`; raise UserError, which names `command`, for another."""
    if same(shown, made):
        return f"{page} is up to date."
    elsewhere = made_elsewhere(shown)
    if elsewhere and structure(shown) == structure(made):
        return f"{page} shows the numbers of {elsewhere}: those made on this {processor()} differ, as they may."
    raise UserError(f"{page} does not show what is in results/: run `{command}` and commit it.")
