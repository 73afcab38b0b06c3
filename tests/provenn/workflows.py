"""Workflows for GitHub, judged by the linters that this repository's own have to pass."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

LINTERS = (["actionlint", "-shellcheck=", "-pyflakes="], ["zizmor", "--offline", "--quiet"])


def lint(file: Path) -> None:
    """Fail the test unless actionlint and zizmor accept a workflow."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for name, *options in LINTERS:
        program = shutil.which(name, path=places)
        assert program, name
        done = subprocess.run([program, *options, file], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
