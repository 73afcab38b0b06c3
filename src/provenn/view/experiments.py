"""The runs of experiments of DVC: they carry its name, and those from one commit stand below one run."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from provenn.exclusive import only_one
from provenn.lock import read_lock
from provenn.repository import EXPERIMENT
from provenn.supervisor import MARK
from provenn.view.records import now
from provenn.view.run import NOTE, STAGE
from provenn.view.sync import Projection, SyncReport, stored_runs, with_command

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

BASELINE = "provenn.experiments"  # the tag of the run below which experiments stand: the commit that they began from
WAIT_SECONDS = 60.0


def parent_in_experiment(root: Path, client: "MlflowClient", place: str) -> str | None:
    """Return the run in one of MLflow's experiments below which a stage stands that runs for an experiment of DVC.

    It is made when the first one needs it. None when the stage runs for none, or for a trial of a sweep, whose own run
    it stands below.
    """
    baseline = os.environ.get("DVC_EXP_BASELINE_REV")
    if not baseline or os.environ.get(MARK, "").startswith("sweep "):
        return None
    with only_one(root, "experiments", WAIT_SECONDS):
        found = client.search_runs(
            [place], f"tags.`{BASELINE}` = '{baseline}'", max_results=1, order_by=["attributes.start_time ASC"]
        )
        if found:
            return str(found[0].info.run_id)
        note = f"What `dvc exp run` tried, beginning from commit {baseline}."
        tags = {BASELINE: baseline, "git.commit": baseline, "mlflow.source.git.commit": baseline, NOTE: note}
        run_id = client.create_run(place, now(), tags, f"experiments of {baseline[:7]}").info.run_id
        client.set_terminated(run_id)
        return str(run_id)


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
