"""Errors of the system and of libraries that the user can mend, as one sentence each. Standard library only."""

from types import TracebackType

_LIBRARIES = ("mlflow.", "sqlalchemy.", "requests.", "urllib3.")


def explained(error: Exception) -> str | None:
    """Return what is wrong, where, and what to do; None for what may be a mistake of this program."""
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("provenn"):
        return (
            f"the Python package {error.name} is missing: install what is needed with `pip install provenn`, "
            "or with `make setup` in this project's own repository."
        )
    if isinstance(error, RecursionError) and (file := _file_being_read(error.__traceback__)):
        return f"{file} is nested too deeply to be read: make it flatter."
    if isinstance(error, OSError) and error.filename:
        return _about_file(error)
    if type(error).__module__.startswith(_LIBRARIES):
        said = " ".join(str(error).split())[:300].rstrip(".")
        return f"the tracking store failed ({said}): once it works again, run the same command again."
    return None


def _about_file(error: OSError) -> str:
    file = error.filename2 or error.filename
    if isinstance(error, IsADirectoryError):
        return f"{file} is a folder where a file is expected: move it away."
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{file} is a file where a folder is expected: move it away."
    return f"{file} cannot be used ({error.strerror}): put that right, then run the same command again."


def _file_being_read(traceback: TracebackType | None) -> str | None:
    """Return the file that a parser was given, which the error itself does not name."""
    found = None
    while traceback:
        values = traceback.tb_frame.f_locals
        path = next((values[name] for name in ("path", "file", "filename") if values.get(name)), None)
        if str(path).endswith((".yaml", ".yml", ".json", ".toml", ".lock", ".dvc")):
            found = str(path)
        traceback = traceback.tb_next
    return found
