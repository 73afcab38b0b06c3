"""What a person sees on a real terminal: the one table of stages, and no words of DVC between them."""

import os
import pty
import re

import pytest
from repository import PROGRAMS, Repository


def on_terminal(repository: Repository, *command: str, typed: str = "", code: int = 0) -> list[str]:
    """Return the different lines that a command shows on a terminal of its own, numbers as N; it must exit with `code`.

    The user has `typed` before they are asked.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(repository.root)
        program = [*PROGRAMS[command[0]], *command[1:]]
        os.execve(program[0], program, repository._environment() | {"COLUMNS": "120", "TERM": "xterm"})
    os.write(terminal, typed.encode())
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so that the other end is closed
            break
        if not part:
            break
        shown += part
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code, shown.decode(errors="replace")
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


@pytest.mark.parametrize(("answer", "written"), [("n", False), ("y", True)])
def test_init_asks_before_it_writes(repository: Repository, answer: str, written: bool) -> None:
    lines = on_terminal(repository, "provenn", "init", typed=f"{answer}\n", code=int(not written))
    assert any(line.startswith("Write this? [Y/n]") for line in lines)
    assert (repository.root / ".github/workflows/provenn.yml").exists() == written
    assert ("mlruns" in (repository.root / ".dvcignore").read_text()) == written
