"""One trial, an experiment of DVC in a workspace of its own: `python -m provenn.sweep.trial ORDER`, ORDER being JSON.

This is what `dvc exp run --temp` does, for one experiment alone. Two of those at once share a stash: the faster one
takes both experiments, or both take the same one.
"""

import json
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock

from provenn.files import one_line, write_bytes
from provenn.sweep.sources import sources


@dataclass(frozen=True)
class Order:
    """What to run: `overrides` as `dvc exp run -S` takes them; the answer is written to a file, below `folder`.

    `made` and `sources` are those of the search: changed sources are not tried.
    """

    root: str
    folder: str
    name: str
    target: str
    overrides: list[str]
    made: list[str]
    sources: str

    @property
    def workspaces(self) -> Path:
        """Where the workspaces are made."""
        return Path(self.folder, "workspaces")

    @property
    def log(self) -> Path:
        """The output of the stages."""
        return Path(self.folder, "logs", f"{self.name}.log")

    @property
    def answer(self) -> Path:
        """What came of it: `commit` and `metrics`, by file, or why it `failed`, or that the sources `changed`."""
        return Path(self.folder, "answers", f"{self.name}.json")

    def as_json(self) -> str:
        """Return it for the command line."""
        return json.dumps(asdict(self))


class SourcesChangedError(Exception):
    """The files are no longer those with which the sweep began."""


def run_trial(order: Order) -> dict[str, Any]:
    """Run the experiment, unless it is there already, and return the answer; raise what DVC raises."""
    from dvc.repo import Repo

    with Repo(order.root) as repo:
        commit = _commit_of(repo, order.name) or _run(repo, order)
        shown = repo.metrics.show(revs=[commit], hide_workspace=False)[commit]
        files = {path: found["data"] for path, found in shown.get("data", {}).items() if "data" in found}
    return {"commit": commit, "metrics": files}


def _commit_of(repo: Any, name: str) -> str | None:
    from dvc.repo.experiments.refs import ExpRefInfo

    commit = repo.scm.get_ref(str(ExpRefInfo(repo.scm.get_rev(), name)))
    return str(commit) if commit else None


def _run(repo: Any, order: Order) -> str:
    from dvc.repo import lock_repo
    from dvc.repo.experiments.executor.local import TempDirExecutor
    from dvc.utils.cli_parse import to_path_overrides

    experiments = repo.experiments
    queue = experiments.tempdir_queue
    params = to_path_overrides(order.overrides)
    with FileLock(Path(order.folder, "stash.lock")), _uninterrupted():
        if sources(Path(order.root), order.made) != order.sources:
            raise SourcesChangedError
        # DVC sets the changes of the working folder aside for a moment, to make the experiment from it.
        with lock_repo(repo):
            entry = experiments.queue_one(queue, targets=[order.target], params=params, name=order.name)
        executor = queue.init_executor(experiments, entry, TempDirExecutor, wdir=str(order.workspaces))
    queue._reproduce_entry(entry, executor)
    commit = _commit_of(repo, order.name)
    if commit is None:
        raise RuntimeError(f"DVC kept no experiment {order.name}")
    return commit


@contextmanager
def _uninterrupted() -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def _end(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # DVC then removes the workspace


def _reasons(error: BaseException | None) -> Iterator[str]:
    while error:
        yield one_line(error).rstrip(".")
        error = error.__cause__


def main(text: str) -> int:
    """Carry out an order; return 1 when there is no experiment."""
    signal.signal(signal.SIGTERM, _end)
    logging.getLogger("dvc").setLevel(logging.CRITICAL)  # the log's last line is then the stage's
    order = Order(**json.loads(text))
    try:
        answer = run_trial(order)
    except SourcesChangedError:
        answer = {"changed": True}
    except Exception as error:
        answer = {"failed": ": ".join(dict.fromkeys(_reasons(error)))}
    write_bytes(order.answer, json.dumps(answer).encode())
    return int("commit" not in answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
