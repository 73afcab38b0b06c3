"""Where runs are kept: the embedded SQLite store, or the server that MLFLOW_TRACKING_URI names."""

import logging
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from provenn.addresses import shown_uri
from provenn.files import UserError, one_line, write_bytes
from provenn.repository import git, git_root

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASE = "mlflow.db"
ARTIFACTS = "artifacts"
# The UI then opens on runs and models instead of on traces of language models.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
# Who waits for tracking: a writer gives up at once, because `provenn sync` adds the run later; a command that is about
# the store has time. What the user has set is left alone.
_WRITER_WAIT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "4"}
_COMMAND_WAIT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}
_GIVEN = frozenset(os.environ)
# Where a store that was moved still has the folder in which it was made.
_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def store_folder(root: Path) -> Path:
    """Return the folder of the embedded store: the nearest `mlruns` from the root up to git's, or else the root's.

    Several DVC projects of one git repository so share a store where there is one above them.
    """
    root = root.resolve()
    top = git_root(root) or root
    above = [folder for folder in (root, *root.parents) if folder == root or folder.is_relative_to(top)]
    return next((folder / "mlruns" for folder in above if (folder / "mlruns").is_dir()), root / "mlruns")


def tracking_uri(root: Path) -> str:
    """Return the store to use: MLFLOW_TRACKING_URI as it is, or else the embedded one."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{store_folder(root) / DATABASE}"


def connect(root: Path, uri: str | None = None, *, patient: bool = True) -> "MlflowClient":
    """Return a client of a store, the repository's own by default, made when it is new.

    Raises UserError for a server that does not answer and a store of another MLflow. An impatient call gives up after
    four seconds without a retry.
    """
    uri = uri or tracking_uri(root)
    if uri.startswith("sqlite:///") and (odd := set("%?#") & set(uri)):
        raise UserError(
            f"an address of MLflow cannot hold {' and '.join(sorted(odd))}, as {uri} does: move the repository to a "
            "folder without, or let MLFLOW_TRACKING_URI name another store."
        )
    wait = _COMMAND_WAIT if patient else _WRITER_WAIT
    os.environ |= {name: value for name, value in (_DEFAULTS | wait).items() if name not in _GIVEN}
    # A run of the caller's shell must not be resumed.
    os.environ.pop("MLFLOW_RUN_ID", None)
    if uri.startswith("sqlite:///"):
        open_embedded(Path(uri.removeprefix("sqlite:///")))
    import mlflow

    logging.getLogger("mlflow.store.db.utils").setLevel(logging.ERROR)  # a traceback for each try to reach a database
    given = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)  # the registry of a database asks MLflow's own global client
    mlflow.set_registry_uri(uri)
    # MLflow hands on what it was told as if the user had set it.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    if given:
        os.environ["MLFLOW_TRACKING_URI"] = given
    try:
        client = mlflow.MlflowClient(uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    except Exception as error:  # MLflow's, or that of a library which makes sense of the address
        raise _explained(uri, error) from None
    return client


def open_embedded(database: Path) -> None:
    """Make an SQLite store unless it is there, and tell one that was moved where it is now.

    MLflow leaves a new SQLite store broken for good when several processes migrate it together. So one process holds
    a lock, migrates a file of another name and renames it when it is whole.
    """
    from filelock import FileLock, Timeout

    folder = database.parent
    folder.mkdir(parents=True, exist_ok=True)
    if database.is_file() and not _was_moved(database):
        return
    try:
        with FileLock(folder / ".create.lock", timeout=120):
            if not database.is_file():
                _create(database)
            elif _was_moved(database):
                _relocate(database)
    except Timeout:
        raise UserError(
            f"another process has been creating {database} for two minutes: end it, or delete {folder}/.create.lock."
        ) from None


def experiment_id(client: "MlflowClient", name: str, root: Path) -> str:
    """Return the id of an experiment, creating it where the store does not have it."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        # A database without a server would put artifacts under whatever folder the process is in.
        place = name.replace("/", "_").replace(":", "_")
        local = None if client.tracking_uri.startswith("http") else str(store_folder(root) / ARTIFACTS / place)
        try:
            return str(client.create_experiment(name, local, EXPERIMENT_TAGS))
        except MlflowException:  # another process was faster
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    return str(experiment.experiment_id)


def default_experiment(root: Path) -> str:
    """Return the name of the experiment of stages that declare none: the repository's, of its remote or its folder."""
    remote = shown_uri((git("remote", "get-url", "origin", root=root) or "").strip().rstrip("/"))
    return Path(remote.replace(":", "/")).name.removesuffix(".git") or root.resolve().name


def _create(database: Path) -> None:
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    unfinished = database.with_name(f".{database.name}.new")
    unfinished.unlink(missing_ok=True)
    store = SqlAlchemyStore(f"sqlite:///{unfinished}", str(database.parent / ARTIFACTS))
    store._dispose_engine()
    unfinished.rename(database)
    ignored = database.parent / ".gitignore"
    if database.parent.name == "mlruns" and not ignored.exists() and git("ls-files", ".", root=database.parent) == "":
        write_bytes(ignored, b"*\n")


def _was_moved(database: Path) -> bool:
    return _made_in(database) not in (None, str(database.parent / ARTIFACTS))


def _made_in(database: Path) -> str | None:
    """Return the folder of artifacts that the store began with: that of MLflow's own first experiment, number 0."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
            row = connection.execute("SELECT artifact_location FROM experiments WHERE experiment_id = 0").fetchone()
    except sqlite3.Error:
        return None
    return str(Path(row[0]).parent) if row and row[0] else None


def _relocate(database: Path) -> None:
    before, now = _made_in(database), str(database.parent / ARTIFACTS)
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        for table, column in _LOCATIONS:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                (now, len(before or "") + 1, len(before or ""), before),
            )


def _explained(uri: str, error: Exception) -> UserError:
    """Return what to do about a store that does not answer, or whose schema is not this MLflow's."""
    text = str(error)
    if isinstance(error, ModuleNotFoundError):
        return UserError(f"the store {uri} needs the Python package {error.name}: `pip install` what brings it.")
    if refused := re.search(r"failed with error code (401|403)", text):
        return UserError(
            f"the tracking server {uri} refuses this user ({refused[1]}): set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
        )
    if "database schema" in text:
        from alembic.script import ScriptDirectory
        from alembic.util import CommandError
        from mlflow.store.db.utils import _get_alembic_config

        found = text.partition("found version ")[2].partition(",")[0]
        try:
            ScriptDirectory.from_config(_get_alembic_config(db_url="")).get_revision(found)
        except CommandError:
            return UserError(f"the store {uri} was made by a newer MLflow (schema {found}): install that MLflow.")
        return UserError(f"the store {uri} was made by an older MLflow: back it up, then `mlflow db upgrade {uri}`.")
    if "API request to" in text and "failed with exception" in text:
        reasons = re.findall(r"\[Errno -?\d+\] ([\w ]+)|(timed out)", text)
        reason = next((word for found in reasons[:1] for word in found if word), "no answer")
        return UserError(
            f"the tracking server {uri} cannot be reached ({reason}): start it, or unset MLFLOW_TRACKING_URI."
        )
    reason = one_line(error)[:200].rstrip(".")
    return UserError(f"the tracking store {uri} cannot be used ({reason}): mend or unset MLFLOW_TRACKING_URI.")
