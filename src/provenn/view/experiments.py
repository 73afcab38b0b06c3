"""The runs of one experiment of DVC, which carry its name."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from provenn.exclusive import only_one
from provenn.lock import read_lock
from provenn.repository import EXPERIMENT
from provenn.view.run import STAGE
from provenn.view.sync import Projection, SyncReport, stored_runs, with_command

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def show_experiment(root: Path, client: "MlflowClient", name: str, commit: str) -> None:
    """Show the stages of an experiment as `synchronise` shows those of a commit: a result that has a run keeps it."""
    entries = with_command(read_lock(root, commit))
    with only_one(root, "sync"):
        runs = stored_runs(root, client, entries)
        projection = Projection(root, entries, runs, SyncReport(""), commit)
        projection.origin[EXPERIMENT] = name
        projection.project()


def runs_of_experiment(client: "MlflowClient", experiments: Iterable[str], name: str) -> "list[Run]":
    """Return the runs of stages that ran for an experiment of DVC, in MLflow's experiments of these names."""
    found = (client.get_experiment_by_name(each) for each in experiments)
    ids = [each.experiment_id for each in found if each]
    runs = client.search_runs(ids, f"tags.`{EXPERIMENT}` = '{name}'", max_results=1000) if ids else []
    return [run for run in runs if STAGE in run.data.tags]
