"""Run a stage script as it is and append to $PROVENN_TRACE where its seconds went: a JSON object a process.

Every second counts once, for the innermost thing that the main thread was at: importing (by package), DVC's part and
MLflow's part of `track`, or else the work: computing, drawing, reading and writing files. No product code knows this.
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

DVC, MLFLOW, WORK = "dvc", "mlflow", "work"


class Clock:
    """Seconds by what the main thread was at. What begins inside something else stops the clock of that."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._at = [WORK]
        self._since = time.perf_counter()
        self._thread = threading.get_ident()

    @contextmanager
    def at(self, what: str) -> Iterator[None]:
        """Count the block for `what`."""
        if threading.get_ident() != self._thread:
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


CLOCK = Clock()


def counted(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """Return `function`, its time counted for `what`."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        with CLOCK.at(what):
            return function(*arguments, **keywords)

    return call


def count_tracking(run: ModuleType) -> None:
    """Count what `track` does around the work."""
    read_entry = run.read_entry

    def read(name: str) -> Any:
        with CLOCK.at(DVC):
            entry, digest_outs = read_entry(name)
        return entry, counted(digest_outs, DVC)

    run.read_entry = read
    for method in ("start", "epoch", "metrics", "finish", "fail"):
        setattr(run.Run, method, counted(getattr(run.Run, method), MLFLOW))


def main() -> None:
    """Run the script that the arguments name, as `python SCRIPT ARGUMENTS` would."""
    find_and_load = bootstrap._find_and_load

    def load(name: str, import_: Any) -> ModuleType:
        with CLOCK.at(f"import {name.partition('.')[0]}"):
            module = find_and_load(name, import_)
        if name == "provenn.tracking.run":
            count_tracking(module)
        return module

    bootstrap._find_and_load = load
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        CLOCK.stop()
        with Path(os.environ["PROVENN_TRACE"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"stage": os.environ.get("DVC_STAGE", ""), "seconds": CLOCK.seconds}) + "\n")


if __name__ == "__main__":
    main()
