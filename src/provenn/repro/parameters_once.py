"""Reading the parameters of a stage once: DVC reads their whole file for each of a stage's questions, of each stage."""

import time
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

LATELY_S = 1.0  # a file that was changed since may change again without showing another time


def read_parameters_once() -> None:
    """Make DVC, in this process and its forks, keep the parameters that it has read for as long as their file is."""
    from dvc.dependency import param

    if not isinstance(param.read_param_file, partial):
        param.read_param_file = partial(_read, param.read_param_file, {})


def _read(
    read: Callable[..., Any],
    kept: dict[tuple[str, ...], tuple[Any, Any]],
    fs: Any,
    path: str,
    names: list[str] | None = None,
    flatten: bool = False,
    **options: Any,
) -> Any:
    file = _identity(path) if fs.protocol == "local" and flatten else None
    if file is None:
        return read(fs, path, names, flatten, **options)
    key = (path, *(names or ()))
    if key not in kept or kept[key][0] != file:
        kept[key] = file, read(fs, path, names, flatten, **options)
    return deepcopy(kept[key][1])


def _identity(path: str) -> tuple[int, ...] | None:
    """Return what no edit leaves as it is: nobody can set the time of the last change (ctime)."""
    with suppress(OSError):
        status = Path(path).stat()
        if time.time() - status.st_ctime > LATELY_S:
            return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    return None
