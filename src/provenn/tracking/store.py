"""Where runs are kept: the embedded SQLite store, or the server that MLFLOW_TRACKING_URI names."""

import os
from pathlib import Path

from provenn.files import UserError

EXPERIMENTS = ("regression", "moons", "mnist", "studies", "pipeline")

# A server that is away costs each call a few seconds instead of four minutes.
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "4",
    "GIT_PYTHON_REFRESH": "quiet",
}


def project_root() -> Path:
    """Return the repository's root: DVC names it even where an experiment runs in a temporary copy."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def embedded_uri(root: Path) -> str:
    """Return the URI of the embedded store, absolute, so that it is the same store from every folder."""
    return f"sqlite:///{root / 'mlruns' / 'mlflow.db'}"


def tracking_uri(root: Path) -> str:
    """Return the store to use: MLFLOW_TRACKING_URI as it is, or else the embedded one."""
    return os.environ.get("MLFLOW_TRACKING_URI") or embedded_uri(root)


def connect(root: Path | None = None) -> str:
    """Make MLflow use the project's store, creating the embedded one if need be; return its URI."""
    root = root or project_root()
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    # A run of the caller's shell must not be resumed by a stage.
    os.environ.pop("MLFLOW_RUN_ID", None)
    uri = tracking_uri(root)
    if uri == embedded_uri(root):
        create_embedded_store(root)
    import mlflow

    mlflow.set_tracking_uri(uri)
    return uri


def create_embedded_store(root: Path) -> None:
    """Create mlruns/mlflow.db with its experiments unless it is there, safe against processes that do so at once.

    MLflow leaves a new SQLite store broken for good when several processes migrate it together. So one process holds
    a lock, migrates a file of another name and renames it when it is whole.
    """
    folder = root / "mlruns"
    store = folder / "mlflow.db"
    if store.is_file():
        return
    from filelock import FileLock, Timeout

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
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    unfinished = folder / ".mlflow.db.new"
    unfinished.unlink(missing_ok=True)
    database = SqlAlchemyStore(f"sqlite:///{unfinished}", str(folder / "artifacts"))
    for experiment in EXPERIMENTS:
        database.create_experiment(experiment, artifact_location=str(folder / "artifacts" / experiment))
    database._dispose_engine()
    unfinished.rename(store)


def experiment_id(name: str) -> str:
    """Return the id of an experiment, creating it where the store does not have it."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient()
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:  # another process was faster
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    return str(experiment.experiment_id)
