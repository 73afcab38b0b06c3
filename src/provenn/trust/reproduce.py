"""`provenn reproduce`: run a recorded result again in a clone of its commit, and compare every byte."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from provenn.contents import Contents
from provenn.files import UserError
from provenn.lock import read_lock
from provenn.repository import git_root
from provenn.trust.targets import Target, find_target
from provenn.view.contents import metrics as metrics_of
from provenn.view.records import find_record

IDENTICAL, WITHIN_TOLERANCE, DIFFERENT = "bit-identical", "within tolerance on another numeric platform", "different"
EXIT_CODES = {IDENTICAL: 0, WITHIN_TOLERANCE: 3, DIFFERENT: 1}
# Rounding differs between instruction sets, and training amplifies it: this much of a metric is the same result.
TOLERANCE = 0.01
# Of these a hundredth is a statement about the model; a p-value or an epoch is not.
COMPARED = ("loss", "accuracy", "rmse", "r2", "primary")


@dataclass
class Reproduction:
    """The answer: a verdict, the outputs whose digests differ, the metrics that do, and the platforms."""

    target: str
    stage: str
    commit: str
    verdict: str
    outputs: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    metrics: dict[str, tuple[float, float | None]] = field(default_factory=dict)
    platforms: tuple[str | None, str | None] = (None, None)
    note: str = ""
    folder: str | None = None

    @property
    def exit_code(self) -> int:
        """0 bit-identical, 3 within tolerance on another platform, 1 different."""
        return EXIT_CODES[self.verdict]

    def table(self) -> Table:
        """Return the verdict and what differs."""
        title = f"{self.stage} at {self.commit[:12]}: {self.verdict}"
        table = Table("", "recorded", "now", title=title, title_justify="left")
        for path, (recorded, now) in self.outputs.items():
            table.add_row(path, recorded, "the same" if now == recorded else now or "missing")
        for name, (before, after) in self.metrics.items():
            table.add_row(name, f"{before:.6g}", "missing" if after is None else f"{after:.6g}")
        table.add_row("platform", self.platforms[0] or "unknown", self.platforms[1] or "unknown")
        for name, value in (("note", self.note), ("kept in", self.folder)):
            if value:
                table.add_row(name, "", value)
        return table


def reproduce(name: str, root: Path, *, keep: bool = False) -> Reproduction:
    """Run the stage of a run, file or registered model again from its commit, in a clone that `keep` leaves behind.

    Raises UserError when something that the stage needs is nowhere, or when the stage fails.
    """
    target = find_target(name, root)
    commit = _require_reproducible(target)
    top = git_root(root) or root
    with _folder(keep) as clone:
        _check_out(top, clone, commit, target.patch)
        folder = clone / root.resolve().relative_to(top)
        _restore(target, root, folder)
        _run_again(target, folder)
        entry = read_lock(folder)[target.entry.name]
        record = find_record(folder, entry)
        platforms = (
            target.run.tags.get("numeric.platform") if target.run else None,
            record.tags.get("numeric.platform") if record else None,
        )
        with Contents(root, target.entries).files_of(target.entry, target.entry.outs) as (recorded, _):
            expected, _ = metrics_of(recorded)
        found, _ = metrics_of(entry)
    answer = compare(target.entry.outs, entry.outs, expected, found, platforms)
    answer.target, answer.stage, answer.commit = name, entry.name, commit
    if target.entry.command and entry.key != target.entry.key:
        answer.note = "command, parameters or dependencies are not what dvc.lock recorded"
    answer.folder = str(folder) if keep else None
    return answer


def compare(
    recorded: Mapping[str, str],
    now: Mapping[str, str],
    metrics_recorded: Mapping[str, float],
    metrics_now: Mapping[str, float],
    platforms: tuple[str | None, str | None],
) -> Reproduction:
    """Return the verdict on two results: their outputs' digests, and their metrics where the digests differ."""
    outputs = {path: (value, now.get(path)) for path, value in recorded.items()}
    if recorded == now:
        return Reproduction("", "", "", IDENTICAL, outputs, {}, platforms)
    metrics = {
        name: (value, metrics_now.get(name))
        for name, value in metrics_recorded.items()
        if metrics_now.get(name) != value
    }
    same_platform = platforms[0] is not None and platforms[0] == platforms[1]
    judged = [pair for name, pair in metrics.items() if name.rpartition("/")[2].startswith(COMPARED)]
    close = all(
        after is not None and abs(after - before) <= TOLERANCE * max(abs(before), 0.1) for before, after in judged
    )
    measured = bool(metrics_recorded) and recorded.keys() == now.keys()
    verdict = WITHIN_TOLERANCE if close and measured and not same_platform else DIFFERENT
    return Reproduction("", "", "", verdict, outputs, metrics, platforms)


def _require_reproducible(target: Target) -> str:
    if not target.entry.command:
        raise UserError(f"{target.name} is a file that DVC tracks, not the result of a stage: nothing makes it again.")
    if not target.entry.outs:
        raise UserError(f"{target.name} has no result to compare with: {'; '.join(target.unknown)}.")
    if target.commit is None or (target.dirty and target.patch is None):
        raise UserError(f"{target.name} cannot be run again, for this is not known: {'; '.join(target.unknown)}.")
    missing = [sentence for sentence in target.unknown if sentence.startswith("the commit")]
    if missing:
        raise UserError(f"{target.name} cannot be run again: {missing[0]}.")
    return target.commit


@contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    if keep:
        yield Path(tempfile.mkdtemp(prefix="provenn-"))
        return
    with tempfile.TemporaryDirectory(prefix="provenn-") as folder:
        yield Path(folder)


def _check_out(root: Path, folder: Path, commit: str, patch: str | None) -> None:
    for command in (
        # Shared objects: a commit of an experiment is on no branch, so that a plain clone would lack it.
        ["git", "clone", "--quiet", "--shared", "--no-checkout", str(root), str(folder)],
        ["git", "-C", str(folder), "checkout", "--quiet", "--detach", commit],
        *([["git", "-C", str(folder), "apply", "--whitespace=nowarn", "-"]] if patch else []),
    ):
        text = (patch or "").encode("utf-8", "surrogateescape")
        finished = subprocess.run(command, input=text, capture_output=True, env=_environment(folder), check=False)
        if finished.returncode:
            reason = finished.stderr.decode(errors="replace").strip().splitlines()
            raise UserError(
                f"`{' '.join(command[:2])} …` failed for {commit[:12]}: {reason[-1] if reason else 'no reason'}."
            )


def _restore(target: Target, root: Path, folder: Path) -> None:
    contents, there = Contents(root, target.entries), Contents(folder, target.entries)
    for path, value in target.entry.deps.items():
        outside = "://" in path or Path(path).is_absolute()
        if not outside and not there.is_here(path, value):
            lost = contents.take(path, value, folder)
            if lost:
                raise UserError(f"{lost[0]}, which {target.entry.name} read, is nowhere: {contents.how_to_get(path)}.")


def _run_again(target: Target, folder: Path) -> None:
    # Forced and alone: nothing is restored, and what it reads is as it was. Not committed: the cache is not touched.
    command = [sys.executable, "-P", "-m", "dvc", "repro", "--single-item", "--force", "--no-commit", target.entry.name]
    environment = _environment(folder)
    platform = target.run.tags.get("numeric.platform", "") if target.run else ""
    threads = platform.partition("threads ")[2].partition(";")[0]
    if threads.isdigit():
        environment["OMP_NUM_THREADS"] = threads
    finished = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode:
        print(finished.stdout + finished.stderr, file=sys.stderr)
        raise UserError(f"{target.entry.name} failed in the clone; its output is above.")


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment without what would lead the processes in the clone to another repository or store."""
    foreign = ("GIT_", "DVC_", "MLFLOW_TRACKING_URI", "PROVENN_", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc" / "tmp" / "site_cache"),
    }
