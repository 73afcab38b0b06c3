"""What a person sees on a real terminal: the one table of stages, and no words of DVC between them."""

import os
import pty
import re

import pytest
from repository import PROGRAMS, Repository


def on_terminal(repository: Repository, *command: str) -> list[str]:
    """Return the different lines that a command shows on a terminal of its own, numbers as N; it must succeed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(repository.root)
        program = [*PROGRAMS[command[0]], *command[1:]]
        os.execve(program[0], program, repository._environment() | {"COLUMNS": "120", "TERM": "xterm"})
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so that the other end is closed
            break
        if not part:
            break
        shown += part
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown.decode(errors="replace")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace"))
    return list(dict.fromkeys(re.sub(r"[\d.]+", "N", line).strip() for line in re.split(r"[\r\n]+", text)))


@pytest.mark.slow
def test_a_repro_shows_its_table_and_nothing_of_dvc_while_it_hashes(repository: Repository) -> None:
    for number in range(500):  # DVC draws a bar for what takes long to hash
        repository.write(f"many/{number}", str(number) * 1000)
    repository.define(
        {name: {"cmd": f"echo {name} > {name}.txt", "deps": ["many"], "outs": [f"{name}.txt"]} for name in "ab"}
    )
    lines = on_terminal(repository, "provenn", "repro", "-j", "1")
    assert any(re.fullmatch(r"✓ done +N s +a", line) for line in lines)
    assert not [line for line in lines if "hashing" in line or "%|" in line or "md5" in line]
    for number in range(500):
        os.utime(repository.root / f"many/{number}")
    again = on_terminal(repository, "provenn", "repro")
    assert not [line for line in again if line and not re.match(r"N s: |N stages: ", line)]
