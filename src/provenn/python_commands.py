"""Where Python starts in a shell command: the script, module or text that it runs, and where it looks for modules."""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

PYTHON = re.compile(r"(python|pypy)[\d.]*(\.exe)?")
LAUNCHERS = {"accelerate", "hatch", "pdm", "pipenv", "pixi", "poetry", "rye", "torchrun", "uv"}
OPTIONS_WITH_VALUE = {"-W", "-X", "--check-hash-based-pycs"}


@dataclass(frozen=True)
class PythonStart:
    """Where Python starts: a script, a module or a text, and the folders in which it looks for modules."""

    search: tuple[Path, ...]
    script: Path | None = None
    module: str | None = None
    code: str | None = None


def python_starts(command: str, folder: Path) -> Iterator[PythonStart]:
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
            yield from _starts(words, folder, search)


def _starts(words: list[str], folder: Path, search: list[Path]) -> Iterator[PythonStart]:
    python = next((index for index, word in enumerate(words) if PYTHON.fullmatch(PurePath(word).name)), None)
    command = next((index for index, word in enumerate(words) if "=" not in word), 0)
    if python is None and words[command] not in LAUNCHERS and not words[command].endswith(".py"):
        return
    arguments = iter(words[command:] if python is None else words[python + 1 :])
    here = (_join(folder, "."), *search)
    for word in arguments:
        if word in OPTIONS_WITH_VALUE:
            next(arguments, None)
        elif re.fullmatch(r"-[A-Za-z]*c", word) and python is not None:
            yield PythonStart(here, code=next(arguments, ""))
            return
        elif re.fullmatch(r"-[A-Za-z]*m", word):
            module, script = next(arguments, ""), _started_in_turn(arguments, folder)
            yield PythonStart((*([script.parent] if script else []), *here), module=module, script=script)
            return
        elif word.endswith(".py") or (python is not None and not word.startswith("-")):
            script = _join(folder, word)
            script = script / "__main__.py" if script.is_dir() else script
            search = [script.parent, *search]
            yield PythonStart(tuple(search), script=script)
            started = _started_in_turn(arguments, folder)
            if started:
                yield PythonStart(tuple(search), script=started)
            return


def _started_in_turn(arguments: Iterator[str], folder: Path) -> Path | None:
    """Return the script that a module such as coverage or torch.distributed.run, or a launcher of one's own, starts."""
    script = next((_join(folder, word) for word in arguments if word.endswith(".py")), None)
    return script if script and script.is_file() else None


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
