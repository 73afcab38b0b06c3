"""What the system shows of a process that was forked: its own command line and environment instead of its parent's.

`ps`, and whoever looks for a process by its environment, read the memory in which the kernel put both at the start.
Linux alone has it.
"""

import ctypes
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

_STAT = Path("/proc/self/stat")
_ARGUMENTS, _ENVIRONMENT = 48, 50  # fields of proc(5): arg_start and arg_end, env_start and env_end


def show_as(arguments: Sequence[str], first: Mapping[str, str]) -> list[str]:
    """Show `arguments` as this process's command line, cut where there is no more room; return what is shown.

    Of the environment `first` is shown, then the other variables, the shortest first, as far as there is room.
    """
    for name, value in os.environ.items():
        os.putenv(name, value)  # the C library keeps its own copy from now on
    start, end = _area(_ARGUMENTS)
    shown = b"\0".join(argument.encode() for argument in arguments)[: end - start - 1]
    _write(start, end, shown)
    rest = sorted((f"{name}={value}" for name, value in os.environ.items() if name not in first), key=len)
    variables = [*(f"{name}={value}" for name, value in first.items()), *rest]
    start, end = _area(_ENVIRONMENT)
    content = b"".join(os.fsencode(variable) + b"\0" for variable in variables)[: max(end - start - 1, 0)]
    _write(start, end, content[: content.rfind(b"\0") + 1])
    return shown.decode(errors="replace").split("\0")


def _area(field: int) -> tuple[int, int]:
    fields = _STAT.read_text().rpartition(")")[2].split()  # those behind the name, which is number 2
    return int(fields[field - 3]), int(fields[field - 2])


def _write(start: int, end: int, content: bytes) -> None:
    ctypes.memmove(start, content.ljust(end - start, b"\0"), end - start)
