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
from provenn.entry import is_outside
from provenn.files import UserError
from provenn.lock import read_lock
from provenn.repository import git_root
from provenn.trust.targets import Target, find_target
from provenn.trust.tolerance import Judged, judge
from provenn.view.contents import metrics as metrics_of
from provenn.view.meta import meta_of
from provenn.view.records import find_record

IDENTICAL, WITHIN_TOLERANCE, DIFFERENT = "bit-identical", "within tolerance on another numeric platform", "different"
EXIT_CODES = {IDENTICAL: 0, WITHIN_TOLERANCE: 3, DIFFERENT: 4}  # 1 is that it could not be run


@dataclass
class Reproduction:
    """The answer: a verdict, the outputs' digests, the numbers where those differ, each judged, and the platforms."""

    target: str
    stage: str
    commit: str
    verdict: str
    outputs: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    numbers: list[Judged] = field(default_factory=list)
    platforms: tuple[str | None, str | None] = (None, None)
    note: str = ""
    folder: str | None = None
    signed: str | None = None

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
        for number in self.numbers:
            if number.now != number.recorded:
                now = "missing" if number.now is None else f"{number.now:.6g}"
                table.add_row(
                    number.name, f"{number.recorded:.6g}", f"{now} {'✓' if number.close else '✗'} {number.rule}"
                )
        table.add_row("platform", self.platforms[0] or "unknown", self.platforms[1] or "unknown")
        for name, value in (("note", self.note), ("kept in", self.folder), ("signed in", self.signed)):
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
    numbers = judge(expected, found, meta_of(entry).tolerances)
    answer = compare(target.entry.outs, entry.outs, numbers, platforms)
    answer.target, answer.stage, answer.commit = name, entry.name, commit
    if target.entry.command and entry.key != target.entry.key:
        answer.note = "command, parameters or dependencies are not what dvc.lock recorded"
    answer.folder = str(folder) if keep else None
    return answer


def compare(
    recorded: Mapping[str, str],
    now: Mapping[str, str],
    numbers: list[Judged],
    platforms: tuple[str | None, str | None],
) -> Reproduction:
    """Return the verdict on two results: their outputs' digests, and where these differ every number of the metrics.

    On one platform the bytes must be equal. On another every number must be close, and there must be one.
    """
    outputs = {path: (value, now.get(path)) for path, value in recorded.items()}
    if recorded == now:
        return Reproduction("", "", "", IDENTICAL, outputs, [], platforms)
    same_platform = platforms[0] is not None and platforms[0] == platforms[1]
    close = bool(numbers) and all(number.close for number in numbers) and recorded.keys() == now.keys()
    verdict = WITHIN_TOLERANCE if close and not same_platform else DIFFERENT
    note = "" if numbers else "no metric says how far the outputs are apart"
    return Reproduction("", "", "", verdict, outputs, numbers, platforms, note)


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
        outside = is_outside(path)
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
