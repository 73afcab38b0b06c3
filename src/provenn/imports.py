"""The files of a repository that a command's Python code imports, found by reading the code, not by running it."""

import ast
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from provenn.files import UserError
from provenn.python_commands import PythonStart, python_starts


@dataclass
class Imports:
    """What a command imports: each file with the one that imports it, None where the command itself names it.

    `empty` are the files without code, such as an `__init__.py` that holds a docstring alone. `notes` say what could
    not be followed.
    """

    files: dict[Path, Path | None] = field(default_factory=dict)
    empty: set[Path] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


class ImportFinder:
    """Follows the imports of commands within the folder `root`; reads every file once.

    A module is looked for where Python would, then in the command's folder and in the folders `installed`, where a
    package stands that was installed from the repository itself. A module found nowhere is not the repository's. The
    package `provenn` and files below `ignored` are left out, with all that they import.
    """

    def __init__(self, root: Path, installed: Sequence[Path], ignored: Sequence[Path] = ()) -> None:
        self._root, self._installed, self._ignored = root, tuple(installed), set(ignored)
        self._sources: dict[Path, _Source] = {}
        self._followed: dict[tuple[PythonStart, Path], Imports] = {}

    def follow(self, commands: Sequence[str], folder: Path) -> Imports | None:
        """Return what shell commands import that run in `folder`, or None when none of them is Python's.

        Raises UserError when a file's Python cannot be parsed.
        """
        try:
            starts = [start for command in commands for start in python_starts(command, folder)]
        except ValueError as error:
            return Imports(notes=[f"its cmd cannot be read ({error})"])
        for start in starts:
            # The items of a foreach differ in arguments alone.
            if (start, folder) not in self._followed:
                self._followed[start, folder] = self._follow_start(start, folder)
        parts = [self._followed[start, folder] for start in starts]
        files = {file: importer for part in reversed(parts) for file, importer in part.files.items()}
        empty = {file for part in parts for file in part.empty}
        notes = list(dict.fromkeys(note for part in parts for note in part.notes))
        return Imports(files, empty, notes) if parts else None

    def _follow_start(self, start: PythonStart, folder: Path) -> Imports:
        found = Imports()
        search = (*start.search, folder, *self._installed)
        pending: list[tuple[Path, Path | None]] = []
        if start.script and start.script.is_file():
            pending.append((start.script, None))
        elif start.script:
            found.notes.append(f"its cmd runs {start.script.name}, which is not there")
        if start.module:
            pending += [(file, None) for file in self._resolve(f"{start.module}.__main__", search)]
        if start.code:
            source = _Source.parse(start.code.encode(), "the code after -c")
            pending += [(file, None) for _, name in source.imports for file in self._resolve(name, search)]
        while pending:
            file, importer = pending.pop(0)
            known = file in found.files or self._ignored & {file, *file.parents}
            if known or not file.is_relative_to(self._root):
                continue
            found.files[file] = importer
            source = self._read(file)
            if source.empty:
                found.empty.add(file)
            shown = file.relative_to(self._root)
            found.notes += [f"{shown}:{line} imports what only a run can tell" for line in source.unknown]
            for level, name in source.imports:
                folders = (file.parents[level - 1],) if level else search
                pending += [(imported, file) for imported in self._resolve(name, folders)]
        return found

    def _resolve(self, name: str, folders: Sequence[Path]) -> list[Path]:
        """Return the files that the import of a dotted name runs: its packages' and its own, outermost first."""
        files: list[Path] = []
        parts = name.split(".")
        for part in parts if parts[0] != "provenn" else ():
            package = next((folder / part for folder in folders if (folder / part / "__init__.py").is_file()), None)
            module = next((folder / f"{part}.py" for folder in folders if (folder / f"{part}.py").is_file()), None)
            if package and (not module or folders.index(package.parent) <= folders.index(module.parent)):
                files.append(package / "__init__.py")
                folders = (package,)
            elif module:
                return [*files, module]
            else:
                folders = tuple(folder / part for folder in folders if (folder / part).is_dir())
        return files

    def _read(self, file: Path) -> "_Source":
        if file not in self._sources:
            self._sources[file] = _Source.parse(file.read_bytes(), str(file.relative_to(self._root)))
        return self._sources[file]


class _Source(ast.NodeVisitor):
    """A file's imports, as pairs of the number of leading dots and a dotted name, and the lines of unknown ones."""

    def __init__(self, tree: ast.Module) -> None:
        self.imports: list[tuple[int, str]] = []
        self.unknown: list[int] = []
        self.empty = not tree.body or (len(tree.body) == 1 and ast.get_docstring(tree) is not None)
        self.visit(tree)

    @classmethod
    def parse(cls, code: bytes, name: str) -> "_Source":
        try:
            with warnings.catch_warnings(action="ignore"):
                return cls(ast.parse(code))
        except (SyntaxError, ValueError) as error:
            line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            reason = error.msg if isinstance(error, SyntaxError) else error
            raise UserError(f"{name} is not Python that can be parsed{line} ({reason}): mend it.") from None

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.imports += [(0, alias.name) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        names = [".".join(filter(None, (node.module, alias.name.strip("*")))) for alias in node.names]
        self.imports += [(node.level, name) for name in names]

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if node.args and re.fullmatch(r"(importlib\.)?import_module|__import__", ast.unparse(node.func)):
            match node.args[0]:
                case ast.Constant(value=str(name)):
                    self.imports.append((len(name) - len(name.lstrip(".")), name.lstrip(".")))
                case _:
                    self.unknown.append(node.lineno)
