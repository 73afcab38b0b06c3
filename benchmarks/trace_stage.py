"""Run a stage script as it is and append to $PROVENN_TRACE, as a line of JSON, where the seconds of its process went.

Every second counts once, for the innermost thing that the main thread was at: importing a package, tracking (what
`track` writes and waits for), or else the work.
"""

import importlib._bootstrap as bootstrap
import json
import os
import runpy
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

IMPORT, TRACKING, WORK = "import ", "tracking", "work"
OWN = (f"{IMPORT}notes", f"{IMPORT}provenn")  # what they import counts for the package imported
TRACKED = ("new_path", "numeric_platform", "_start_writer", "_wait")


class Clock:
    """Seconds by what the main thread was at; what begins inside something else stops its clock."""

    def __init__(self) -> None:
        self.start = time.process_time()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._at = [WORK]
        self._since = time.perf_counter()
        self._thread = threading.get_ident()

    @contextmanager
    def at(self, what: str) -> Iterator[None]:
        """Count the block for `what`; what a package imports counts for that package, whoever the package is."""
        inside = what.startswith(IMPORT) and self._at[-1].startswith(IMPORT) and self._at[-1] not in OWN
        if inside or threading.get_ident() != self._thread:
            yield
            return
        self.stop()
        self._at.append(what)
        try:
            yield
        finally:
            self.stop()
            self._at.pop()

    def stop(self) -> None:
        """Count the time until now."""
        now = time.perf_counter()
        self.seconds[self._at[-1]] += now - self._since
        self._since = now


def main() -> None:
    """Run the script that the arguments name, as `python SCRIPT ARGUMENTS` does."""
    importing: Any = bootstrap  # its functions are of no published type
    clock, find_and_load = Clock(), importing._find_and_load

    def load(name: str, import_: Any) -> ModuleType:
        is_new = name not in sys.modules
        with clock.at(f"{IMPORT}{name.partition('.')[0]}"):
            module: ModuleType = find_and_load(name, import_)
        if name == "provenn.record" and is_new:
            module.Record.append = counted(module.Record.append)
            for function in TRACKED:
                setattr(module, function, counted(getattr(module, function)))
        return module

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            with clock.at(TRACKING):
                return function(*arguments, **keywords)

        return call

    importing._find_and_load = load
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        clock.stop()
        write(clock)


def write(clock: Clock) -> None:
    """Append the counts. What the process did before its clock ran, Python's own start, is known as CPU seconds."""
    line = {"stage": os.environ["DVC_STAGE"], "start": clock.start, "seconds": clock.seconds}
    with Path(os.environ["PROVENN_TRACE"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
