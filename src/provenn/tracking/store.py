"""Where runs are kept: the embedded SQLite store, or the server that MLFLOW_TRACKING_URI names."""

import os
import socket
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from provenn.files import UserError
from provenn.tracking.origin import outer_project

if TYPE_CHECKING:
    from mlflow import MlflowClient

# The UI then opens on runs and models instead of on traces of language models.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
EXPERIMENTS = ("regression", "moons", "mnist", "studies", "pipeline")

# Who waits for tracking: a stage gives up at once, because `provenn sync` adds the run later; a command that is about
# the store has time.
_STAGE_WAIT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "4"}
_COMMAND_WAIT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}
_GIVEN = frozenset(os.environ)  # what the user has set is left alone
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
REACH_S = 2.0


def project_root() -> Path:
    """Return the repository's root: DVC names it even where an experiment runs in a temporary copy."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def embedded_uri(root: Path) -> str:
    """Return the URI of the embedded store, absolute, so that it is the same store from every folder."""
    return f"sqlite:///{outer_project(root) / 'mlruns' / 'mlflow.db'}"


def tracking_uri(root: Path) -> str:
    """Return the store to use: MLFLOW_TRACKING_URI as it is, or else the embedded one."""
    return os.environ.get("MLFLOW_TRACKING_URI") or embedded_uri(root)


def connect(root: Path | None = None, uri: str | None = None, *, from_stage: bool = False) -> "MlflowClient":
    """Return a client of a store, the project's own by default, made when it is new; MLflow uses it from now on.

    Raises UserError when its server cannot be reached, and when a newer MLflow made it. A call `from_stage` gives up
    after four seconds without a retry.
    """
    root = root or project_root()
    uri = uri or tracking_uri(root)
    wait = _STAGE_WAIT if from_stage else _COMMAND_WAIT
    os.environ |= {name: value for name, value in (_DEFAULTS | wait).items() if name not in _GIVEN}
    # A run of the caller's shell must not be resumed by a stage.
    os.environ.pop("MLFLOW_RUN_ID", None)
    require_reachable(uri)
    if uri.startswith("sqlite:///"):
        create_store(Path(uri.removeprefix("sqlite:///")))
    import mlflow
    from mlflow.exceptions import MlflowException

    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        client = mlflow.MlflowClient(uri)
        client.search_experiments(max_results=1)
    except MlflowException as error:
        raise _schema_error(uri, error) or error from None
    return client


def require_reachable(uri: str) -> None:
    """Raise UserError unless something listens where `uri` points; a file or SQLite needs nobody to listen.

    MLflow itself would wait for minutes, and a name that cannot be looked up blocks beyond any timeout of a socket:
    so the attempt is left to a thread that may be abandoned.
    """
    address = urlsplit(uri)
    port = address.port or _PORTS.get(address.scheme.partition("+")[0])
    proxied = getproxies().get(address.scheme) and not proxy_bypass(address.hostname or "")
    if not address.hostname or not port or proxied:
        return
    answers: Queue[str | None] = Queue()
    Thread(target=_knock, args=(address.hostname, port, answers), daemon=True).start()
    try:
        reason = answers.get(timeout=REACH_S + 0.5)
    except Empty:
        reason = "no answer"
    if reason:
        where = f"{address.hostname}:{port}"
        raise UserError(
            f"the tracking server {where} cannot be reached ({reason}): start it, or unset MLFLOW_TRACKING_URI."
        )


def _knock(host: str, port: int, answers: "Queue[str | None]") -> None:
    try:
        socket.create_connection((host, port), timeout=REACH_S).close()
        answers.put(None)
    except OSError as error:
        answers.put(error.strerror or str(error))


def create_store(store: Path) -> None:
    """Create an SQLite store with the project's experiments unless it is there, safe against processes at once.

    MLflow leaves a new SQLite store broken for good when several processes migrate it together. So one process holds
    a lock, migrates a file of another name and renames it when it is whole.
    """
    if store.is_file():
        return
    from filelock import FileLock, Timeout

    folder = store.parent
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".create.lock", timeout=120):
            if not store.is_file():
                _migrate(folder, store)
    except Timeout:
        raise UserError(
            f"another process has been creating {store} for two minutes: end it, or delete {folder}/.create.lock."
        ) from None


def _migrate(folder: Path, store: Path) -> None:
    import logging

    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    from mlflow.entities import ExperimentTag
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    unfinished = folder / f".{store.name}.new"
    unfinished.unlink(missing_ok=True)
    database = SqlAlchemyStore(f"sqlite:///{unfinished}", str(folder / "artifacts"))
    for experiment in EXPERIMENTS:
        tags = [ExperimentTag(*tag) for tag in EXPERIMENT_TAGS.items()]
        database.create_experiment(experiment, str(folder / "artifacts" / experiment), tags)
    database._dispose_engine()
    unfinished.rename(store)


def experiment_id(client: "MlflowClient", name: str) -> str:
    """Return the id of an experiment, creating it where the store does not have it."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        # A database without a server would put artifacts under whatever folder the process is in.
        artifacts = outer_project(project_root()) / "mlruns" / "artifacts" / name
        local = None if client.tracking_uri.startswith("http") else artifacts
        try:
            return str(client.create_experiment(name, None if local is None else str(local), EXPERIMENT_TAGS))
        except MlflowException:  # another process was faster
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    return str(experiment.experiment_id)


def _schema_error(uri: str, error: Exception) -> UserError | None:
    """Return what to do about a store whose schema is not this MLflow's."""
    text = str(error)
    if "database schema" not in text:
        return None
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError
    from mlflow.store.db.utils import _get_alembic_config

    found = text.partition("found version ")[2].partition(",")[0]
    try:
        ScriptDirectory.from_config(_get_alembic_config(db_url="")).get_revision(found)
    except CommandError:
        return UserError(
            f"the store {uri} was made by a newer MLflow (schema {found}): install requirements.lock again."
        )
    return UserError(f"the store {uri} was made by an older MLflow: back it up, then run `mlflow db upgrade {uri}`.")
