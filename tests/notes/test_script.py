"""What surrounds a stage's main: exit codes, one sentence for a mistake, and the number of threads."""

import os
import subprocess
import sys

import pytest

HEAD = """
import os, numpy, threadpoolctl
from notes.files import UserError
from notes.script import run_script
def main(name: str) -> None:
"""


def run(body, *options, **environment):
    code = f"{HEAD}    {body}\nrun_script(main)\n"
    inherited = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    variables = inherited | {"PYTHONPATH": ":".join(sys.path)} | environment
    return subprocess.run(
        [sys.executable, "-c", code, "linear", *options], capture_output=True, text=True, env=variables
    )


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("pass", 0, ""),
        ("raise UserError('data is missing: run it.')", 1, "error: data is missing: run it.\n"),
        ("raise KeyboardInterrupt", 130, "error: stopped, interrupted.\n"),
        ("raise KeyboardInterrupt('ended by SIGTERM')", 130, "error: stopped, ended by SIGTERM.\n"),
        ("raise SystemExit(2)", 2, ""),
    ],
)
def test_a_stage_ends_with_its_code_and_at_most_one_sentence(body, code, message):
    finished = run(body)
    assert (finished.returncode, finished.stderr) == (code, message)


def test_a_bug_shows_its_traceback():
    finished = run("1 / 0")
    assert finished.returncode == 1
    assert "ZeroDivisionError" in finished.stderr


def test_the_arguments_are_those_of_main():
    assert run("print(name)").stdout == "linear\n"
    assert run("print(name)", "--unknown").returncode == 2


@pytest.mark.parametrize(("environment", "threads"), [({}, 1), ({"OMP_NUM_THREADS": "2"}, 2)])
def test_blas_computes_on_one_thread_unless_the_environment_says_otherwise(environment, threads):
    body = "print(os.environ['OMP_NUM_THREADS'], {pool['num_threads'] for pool in threadpoolctl.threadpool_info()})"
    assert run(body, **environment).stdout == f"{threads} {{{threads}}}\n"
