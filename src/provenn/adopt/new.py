"""The command `provenn new`: a small project with a table, which runs, is tested and is committed."""

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provenn.adopt.init import make_plan
from provenn.files import UserError, write_bytes
from provenn.repository import git

if TYPE_CHECKING:
    from provenn.adopt.table import Table

TEMPLATE = Path(__file__).parents[1] / "template"
DATA = "data/raw.csv"
# A larger table is kept by DVC instead of git.
GIT_LIMIT = 10_000_000  # bytes


def new(
    name: Annotated[str, typer.Argument(help="The folder to make; its last part names project and model.")],
    csv: Annotated[Path | None, typer.Option("--csv", help="Your table; without it one is drawn.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="The column of your table to predict.")] = None,
) -> None:
    """Make a small project that learns a column of a table from the others.

    It has four stages, prepare, train, evaluate and export, in scikit-learn,
    with tests, a gate and workflows for GitHub. Text, or whole numbers of at
    most 10 values, is learned as classes, anything else as a number. Missing
    values and columns of text are dealt with.

    The folder is then a git and DVC repository with a first commit.

    It needs what the package's extra `new` brings.

    Examples: provenn new fruit · provenn new wine --csv wine.csv --target class
    """
    folder = Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there and not empty: choose another name.")
    if (csv is None) != (target is None):
        raise UserError("--csv and --target go together: the table, and its column to predict.")
    project = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")
    if not project:
        raise UserError(f"{name} has no letter of a to z and no digit: a model's name needs one.")
    try:
        from provenn.adopt.table import draw_table, read_table

        table = read_table(csv, target) if csv and target else draw_table()
        _render(folder, project, table)
    except ModuleNotFoundError as error:
        raise UserError(f"`provenn new` needs {error.name}: `pip install 'provenn[new]'` brings it.") from None
    committed = _make_repository(folder)
    print(f"{folder} is made: a {'classification' if table.classification else 'regression'} of {table.target}.")
    if not committed:
        print("Nothing is committed yet: git is missing or does not know your name; `git init`, `git commit` later.")
    print(f"Next:\n  cd {folder} && pip install -r requirements.txt\n  provenn repro")


def _render(folder: Path, project: str, table: "Table") -> None:
    from copier import run_copy

    answers = {"name": project, "target": table.target, "classification": table.classification}
    run_copy(str(TEMPLATE), folder, data=answers, quiet=True)
    write_bytes(folder / DATA, table.content)


def _make_repository(folder: Path) -> bool:
    """Make the folder a git and DVC repository as `provenn init` prepares one; return whether all is committed."""
    has_git = git("init", "--quiet", "--initial-branch=main", root=folder) is not None
    _dvc("init", *([] if has_git else ["--no-scm"]), folder=folder)
    for change in make_plan(folder, {}).changes:
        change.write()
    if (folder / DATA).stat().st_size > GIT_LIMIT:
        _dvc("add", DATA, folder=folder)
    if not has_git or git("add", "--all", root=folder) is None:
        return False
    return git("commit", "--quiet", "-m", "The project, as `provenn new` made it", root=folder) is not None


def _dvc(*arguments: str, folder: Path) -> None:
    command = [sys.executable, "-m", "dvc", *arguments, "--quiet"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"`dvc {arguments[0]}` failed in {folder} ({' '.join(done.stderr.split())[:300]}): mend that.")
