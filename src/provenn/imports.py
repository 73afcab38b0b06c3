"""The files of a repository that a command's Python code imports, found by reading the code, not by running it."""

import ast
import os
import re
import shlex
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from provenn.files import UserError

PYTHON = re.compile(r"(python|pypy)[\d.]*(\.exe)?")
LAUNCHERS = {"accelerate", "hatch", "pdm", "pipenv", "pixi", "poetry", "rye", "torchrun", "uv"}
OPTIONS_WITH_VALUE = {"-W", "-X", "--check-hash-based-pycs"}


@dataclass
class Imports:
    """What a command imports: each file with the one that imports it, None where the command itself names it.

    `empty` are the files without code, such as an `__init__.py` that holds a docstring alone. `notes` say what could
    not be followed.
    """

    files: dict[Path, Path | None] = field(default_factory=dict)
    empty: set[Path] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Start:
    """Where Python starts: a script, a module or a text, and the folders in which it looks for modules."""

    search: tuple[Path, ...]
    script: Path | None = None
    module: str | None = None
    code: str | None = None


class ImportFinder:
    """Follows the imports of commands within the folder `root`; reads every file once.

    A module is looked for where Python would, then in the command's folder and in the folders `installed`, where a
    package stands that was installed from the repository itself. A module found nowhere is not the repository's. The
    package `provenn` and files below `ignored` are left out, with all that they import.
    """

    def __init__(self, root: Path, installed: Sequence[Path], ignored: Sequence[Path] = ()) -> None:
        self._root, self._installed, self._ignored = root, tuple(installed), set(ignored)
        self._sources: dict[Path, _Source] = {}

    def follow(self, commands: Sequence[str], folder: Path) -> Imports | None:
        """Return what shell commands import that run in `folder`, or None when none of them is Python's.

        Raises UserError when a file's Python cannot be parsed.
        """
        found = Imports()
        try:
            starts = [start for command in commands for start in _starts(command, folder)]
        except ValueError as error:
            found.notes.append(f"its cmd cannot be read ({error})")
            return found
        for start in starts:
            self._follow_start(start, (*start.search, folder, *self._installed), found)
        return found if starts else None

    def _follow_start(self, start: _Start, search: tuple[Path, ...], found: Imports) -> None:
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


def _starts(command: str, folder: Path) -> Iterator[_Start]:
    """Yield the starts of Python in a shell command; raise ValueError when its quotes do not match."""
    exported: list[str] = []
    for words in _simple_commands(command):
        paths = [word.partition("=")[2] for word in words if word.startswith("PYTHONPATH=")] or exported
        if words[0] == "cd" and len(words) > 1:
            folder /= words[1]
        elif words[0] == "export":
            exported = paths
        else:
            search = [_join(folder, entry) for entry in ":".join(paths).split(":") if entry]
            start = _start(words, folder, search)
            if start:
                yield start


def _start(words: list[str], folder: Path, search: list[Path]) -> _Start | None:
    python = next((index for index, word in enumerate(words) if PYTHON.fullmatch(PurePath(word).name)), None)
    command = next((index for index, word in enumerate(words) if "=" not in word), 0)
    if python is None and words[command] not in LAUNCHERS and not words[command].endswith(".py"):
        return None
    arguments = iter(words[command:] if python is None else words[python + 1 :])
    here = (_join(folder, "."), *search)
    for word in arguments:
        if word in OPTIONS_WITH_VALUE:
            next(arguments, None)
        elif re.fullmatch(r"-[A-Za-z]*c", word) and python is not None:
            return _Start(here, code=next(arguments, ""))
        elif re.fullmatch(r"-[A-Za-z]*m", word):
            module = next(arguments, "")
            # Modules such as coverage or torch.distributed.run start a script in their turn.
            script = next((_join(folder, rest) for rest in arguments if rest.endswith(".py")), None)
            run = (script.parent,) if script and script.is_file() else ()
            return _Start((*run, *here), module=module, script=script if run else None)
        elif word.endswith(".py") or (python is not None and not word.startswith("-")):
            script = _join(folder, word)
            script = script / "__main__.py" if script.is_dir() else script
            return _Start((script.parent, *search), script=script)
    return None


def _simple_commands(command: str) -> Iterator[list[str]]:
    separators = "();<>|&\n"
    lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars=separators)
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t\r", "", True
    words: list[str] = []
    for word in lexer:
        if word.strip(separators):
            words.append(word)
        elif words:
            yield words
            words = []
    if words:
        yield words


def _join(folder: Path, path: str) -> Path:
    """Return folder/path without `..`, symbolic links left as they are written."""
    return Path(os.path.normpath(folder / path))
