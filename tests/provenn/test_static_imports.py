"""Reading a command's imports from the code, against what Python really imports."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import grimp
import pytest

from provenn.files import UserError
from provenn.imports import ImportFinder, Imports

ROOT = Path(__file__).parents[2]
SHOW_MODULES = """
import atexit, os, sys

def show():
    # The main module has lost its __file__ by now, and a script that it ran was never a module.
    scripts = [word for word in sys.argv if word.endswith(".py")]
    files = {*scripts, *(getattr(module, "__file__", None) for module in list(sys.modules.values()))}
    with open(SEEN, "a") as seen:
        seen.write("".join(f"{os.path.abspath(file)}\\n" for file in files if file and os.path.isfile(file)))

atexit.register(show)
"""

TREE = {
    "stages/train.py": """
        import json, helper
        import pkg.deep.leaf as leaf
        from pkg import relative, constant
        from spaces.inner import module
        import importlib

        def late():
            from pkg.late import value
            return importlib.import_module("pkg.named")

        late()
        try:
            import not_installed_anywhere
        except ImportError:
            import fallback
        """,
    "stages/helper.py": "import types\n",
    "stages/fallback.py": "",
    "src/pkg/__init__.py": "constant = 1\n",
    "src/pkg/deep/__init__.py": '"""Only a docstring."""\n',
    "src/pkg/deep/leaf.py": "from ..relative import other\nfrom .. import sibling\n",
    "src/pkg/relative.py": "from .other import *\nfrom . import other\n",
    "src/pkg/other.py": "",
    "src/pkg/sibling.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pkg.never\n",
    "src/pkg/late.py": "value = 1\n",
    "src/pkg/named.py": "",
    "src/pkg/never.py": "",
    "src/pkg/unused.py": "",
    "src/pkg/__main__.py": "from . import late\n",
    "src/pkg/tool.py": "import pkg.other\n",
    "src/spaces/inner/module.py": "import spaces.other\n",
    "src/spaces/other.py": "",
    "src/helper.py": "",
    "src/fallback.py": "",
    "src/launch.py": "import runpy, sys\nimport pkg.other\nrunpy.run_path(sys.argv[2])\n",
    "run.py": "import stages.helper\n",
}

COMMANDS = [
    "PYTHONPATH=src python stages/train.py --epochs 3",
    "PYTHONPATH=src python -u -W ignore stages/train.py > log.txt 2>&1",
    "PYTHONPATH=src /usr/bin/env python stages/train.py",
    "env PYTHONPATH=missing:src python3 ./stages/../stages/train.py",
    "python src/launch.py fast stages/train.py --epochs 3",
    "PYTHONPATH=src python -m pkg",
    "PYTHONPATH=src python -um pkg.tool",
    "PYTHONPATH=src python -c 'import pkg.deep.leaf; from pkg import late'",
    "cd src && python -m pkg.tool; cd .. && python run.py",
    "export PYTHONPATH=src\npython -m pkg.tool && \\\n  python stages/train.py",
    "python run.py",
    "echo nothing here || python stages/none.py",
]


def write_tree(root: Path, tree: dict[str, str]) -> Path:
    for name, text in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(text).lstrip("\n"))
    return root


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "repository", TREE)


def really_imported(command: str, root: Path) -> set[str]:
    """Run the command with a Python that writes at its end which files it imported."""
    seen, hook, bin_folder = root.parent / "seen", root.parent / "hook", root.parent / "bin"
    write_tree(hook, {"sitecustomize.py": f"SEEN = {str(seen)!r}\n{SHOW_MODULES}"})
    wrapper = f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{hook}" exec {sys.executable} -B "$@"\n'
    for name in ("python", "python3"):
        write_tree(bin_folder, {name: wrapper})
        (bin_folder / name).chmod(0o755)
    seen.touch()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PATH": f"{bin_folder}:{os.environ['PATH']}"}
    subprocess.run(command, shell=True, cwd=root, env=environment, check=True, timeout=300)
    paths = {Path(line) for line in seen.read_text().splitlines()}
    return {str(path.relative_to(root)) for path in paths if path.is_relative_to(root)}


def follow(command: str, root: Path, **options: list[Path]) -> Imports | None:
    return ImportFinder(root, (root, root / "src"), **options).follow([command], root)


def names(imports: Imports | None, root: Path) -> set[str]:
    return {str(file.relative_to(root)) for file in imports.files} if imports else set()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_files_that_are_read_from_the_code_are_those_that_python_imports(command: str, repository: Path) -> None:
    assert names(follow(command, repository), repository) == really_imported(command, repository)


@pytest.mark.parametrize("runner", ["uv run", "uv run python", "poetry run python3.12", "torchrun --nproc_per_node 2"])
def test_a_runner_before_the_script_changes_nothing(runner: str, repository: Path) -> None:
    plain = follow("python stages/train.py", repository)
    assert names(follow(f"{runner} stages/train.py", repository), repository) == names(plain, repository) != set()


def test_a_script_that_another_module_runs_is_followed(repository: Path) -> None:
    imports = follow("python -m coverage run stages/train.py", repository)
    assert "stages/helper.py" in names(imports, repository)


def test_a_package_installed_from_the_repository_is_found_without_a_pythonpath(repository: Path) -> None:
    assert "src/pkg/deep/leaf.py" in names(follow("python stages/train.py", repository), repository)


@pytest.mark.parametrize("command", ["cat stages/train.py", "Rscript fit.R", "black stages/train.py"])
def test_a_command_that_is_not_pythons_is_left_alone(command: str, repository: Path) -> None:
    assert follow(command, repository) is None


def test_files_without_code_are_known_as_empty(repository: Path) -> None:
    imports = follow("PYTHONPATH=src python stages/train.py", repository)
    empty = {str(file.relative_to(repository)) for file in imports.empty}
    assert empty >= {"src/pkg/deep/__init__.py", "src/pkg/other.py"}
    assert "src/pkg/__init__.py" not in empty


def test_every_file_knows_which_one_imports_it(repository: Path) -> None:
    imports = follow("PYTHONPATH=src python stages/train.py", repository)
    assert imports.files[repository / "stages/train.py"] is None
    assert imports.files[repository / "src/pkg/sibling.py"] == repository / "src/pkg/deep/leaf.py"


def test_what_is_ignored_is_left_out_with_all_that_it_alone_imports(repository: Path) -> None:
    command = "PYTHONPATH=src python stages/train.py"
    left = names(follow(command, repository, ignored=[repository / "src" / "spaces"]), repository)
    assert left == {name for name in names(follow(command, repository), repository) if "spaces" not in name}


def test_the_modules_of_this_repository_import_what_grimp_says() -> None:
    graph = grimp.build_graph("notes", exclude_type_checking_imports=True, cache_dir=None)

    def with_packages(module: str) -> set[str]:
        return {module.rsplit(".", dots)[0] for dots in range(module.count(".") + 1)}

    def needed(module: str) -> set[str]:
        known: set[str] = set()
        new = with_packages(module)
        while new:
            known |= new
            imported = set().union(*(graph.find_modules_directly_imported_by(name) for name in new))
            new = set().union(*map(with_packages, imported)) - known
        return known

    source = ROOT / "src"
    for module in graph.modules:
        found = ImportFinder(ROOT, []).follow([f"python -m {module}"], source)
        paths = {path.relative_to(source) for path in found.files}
        names = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths}
        main = f"{module}.__main__"  # what `python -m` runs of a package that has one
        assert names == needed(main if main in graph.modules else module), module


def test_the_package_that_only_records_is_left_out(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.py": "from provenn.record import track\n", "src/provenn/record.py": ""})
    assert names(follow("python a.py", tmp_path), tmp_path) == {"a.py"}


@pytest.mark.parametrize("text", ['import_module(f"a.{x}")', "importlib.import_module(name)", "__import__('a' + x)"])
def test_an_import_whose_name_only_a_run_knows_is_noted_with_its_line(text: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.py": f"pass\n{text}\n"})
    assert follow("python a.py", tmp_path).notes == ["a.py:2 imports what only a run can tell"]


def test_a_script_that_is_missing_and_quotes_that_do_not_match_are_noted(tmp_path: Path) -> None:
    assert follow("python gone.py", tmp_path).notes == ["its cmd runs gone.py, which is not there"]
    assert follow("python 'gone.py", tmp_path).notes == ["its cmd cannot be read (No closing quotation)"]


@pytest.mark.parametrize("content", [b"pass\ndef f(:\n", b"\x00", b"# coding: latin-9000\n", b"\xff = 1"])
def test_a_file_that_is_not_python_is_named_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.py": "import bad\n"})
    (tmp_path / "bad.py").write_bytes(content)
    with pytest.raises(UserError, match=r"^bad\.py is not Python that can be parsed.*: mend it\.$"):
        follow("python a.py", tmp_path)


def test_an_old_escape_in_a_string_gives_no_warning(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.py": "x = '\\d'\n"})
    assert names(follow("python a.py", tmp_path), tmp_path) == {"a.py"}
