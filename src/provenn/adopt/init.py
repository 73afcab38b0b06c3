"""The command `provenn init`: what an existing DVC repository needs, shown, then written."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from provenn.adopt.gate_file import gate_file
from provenn.adopt.workflow import workflow
from provenn.entry import Entry
from provenn.files import write_bytes
from provenn.lock import read_lock
from provenn.repository import find_root, git, git_root
from provenn.terminal import console

# Folders that hold no stage, which DVC would otherwise search for one at every command.
NOT_SEARCHED = ("mlruns", ".venv")


@dataclass(frozen=True)
class Change:
    """Text to be added at the end of a file, or a new file's whole text."""

    file: Path
    text: str

    def write(self) -> None:
        """Write it; what stands in the file stays."""
        before = self.file.read_bytes() if self.file.exists() else b""
        end = b"\n" if before and not before.endswith(b"\n") else b""
        write_bytes(self.file, before + end + self.text.encode())


@dataclass(frozen=True)
class Plan:
    """What a repository lacks, and a sentence about each file that is there already or cannot be made yet."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...]


def init() -> None:
    """Prepare an existing DVC repository: show what it lacks, then write that.

    - .gitignore and .dvcignore get a line for MLflow's store, mlruns/.
    - .github/workflows/provenn.yml runs `provenn repro` and `provenn gate`.
    - gate.yaml has a rule for each metric, commented out, with its value now.

    Then MLflow gets a run for every result of dvc.lock, as by `provenn sync`.

    A file that is there is left as it is; ignore files only get lines added. On
    a terminal it asks before it writes. A second call has nothing to do.
    """
    root = find_root()
    entries = {name: entry for name, entry in read_lock(root).items() if entry.command}
    plan = make_plan(root, entries)
    for change in plan.changes:
        print(f"{_shown(change.file)} {'gets' if change.file.exists() else 'is new'}:")
        print("".join(f"  + {line}\n" for line in change.text.splitlines()))
    for note in plan.notes:
        print(note)
    if plan.changes and sys.stdin.isatty() and sys.stdout.isatty():
        typer.confirm("Write this?", default=True, abort=True)
    for change in plan.changes:
        change.write()
    written = ", ".join(_shown(change.file) for change in plan.changes)
    print(f"Written: {written}." if written else "Nothing to write: all of it is there.")
    _show_results(root, entries)


def make_plan(root: Path, entries: Mapping[str, Entry]) -> Plan:
    """Return what the repository at `root`, whose stages with a result are `entries`, lacks."""
    changes = [*_ignore_lines(root, entries)]
    notes = []
    files: dict[Path, str | None] = {root / "gate.yaml": gate_file(root, entries.values())}
    if top := git_root(root):
        folder = root.resolve().relative_to(top).as_posix()
        files[top / ".github" / "workflows" / "provenn.yml"] = workflow(root, folder)
    else:
        notes.append("There is no git repository, and so no workflow: after `git init`, `provenn init` adds it.")
    for file, text in files.items():
        if file.exists():
            notes.append(f"{_shown(file)} is there and stays as it is.")
        elif text is None:
            notes.append(f"There is no metric yet for {file.name}: after `provenn repro`, `provenn init` adds it.")
        else:
            changes.append(Change(file, text))
    return Plan(tuple(changes), tuple(notes))


def _ignore_lines(root: Path, entries: Mapping[str, Entry]) -> list[Change]:
    used = {Path(path).parts[0] for entry in entries.values() for path in (*entry.deps, *entry.outs) if path}
    file = root / ".dvcignore"
    present = {line.strip().strip("/") for line in file.read_text().splitlines()} if file.is_file() else set()
    lines = {file: [name for name in NOT_SEARCHED if name not in present | used]}
    # Where git lacks or fails, no line is needed.
    if (
        git_root(root)
        and git("check-ignore", "mlruns/mlflow.db", root=root) is None
        and not git("ls-files", "mlruns", root=root)
    ):
        lines[root / ".gitignore"] = ["/mlruns/"]
    return [Change(file, "".join(f"{line}\n" for line in found)) for file, found in lines.items() if found]


def _show_results(root: Path, entries: Mapping[str, Entry]) -> None:
    if not entries:
        print("No stage has a result yet: `provenn repro` makes them, and MLflow shows them meanwhile.")
        return
    from provenn.view.sync import synchronise

    report = synchronise(root)
    if any(stage.state != "agreed" for stage in report.stages):
        console().print(report.table())
    else:
        print("MLflow shows every result of dvc.lock: `provenn ui` opens it.")


def _shown(file: Path) -> str:
    """Return a file's way from the working folder, or its whole path where it lies elsewhere."""
    here = Path.cwd().resolve()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
