"""Experiments of the real DVC in MLflow: those from one commit stand below one run, those of a sweep below its own."""

import pytest
from repository import Repository

pytestmark = pytest.mark.slow

FIT = """
import json
import yaml
from provenn.record import track

with track() as run:
    x = yaml.safe_load(open("params.yaml"))["x"]
    run.log({"loss": x**2}, step=1)
    json.dump({"val/loss": x**2}, open("metrics.json", "w"))
"""


@pytest.fixture
def fitting(repository: Repository) -> Repository:
    """A repository with a stage that tracks itself."""
    repository.write("fit.py", FIT)
    repository.write("params.yaml", "x: 0\n")
    fit = {"cmd": "python fit.py", "deps": ["fit.py"], "params": ["x"], "metrics": ["metrics.json"]}
    repository.define({"fit": fit})
    repository.commit("Fit")
    return repository


def parents(repository: Repository) -> dict[str, str | None]:
    """Return below which run each run of the stage stands, by its parameter."""
    return {run.data.params["x"]: run.data.tags.get("mlflow.parentRunId") for run in repository.runs()}


def test_experiments_from_one_commit_stand_below_one_run_and_those_from_another_below_another(
    fitting: Repository,
) -> None:
    for x in (1, 2):
        fitting.dvc("exp", "run", "--queue", "-S", f"x={x}", "-n", f"try-{x}")
    fitting.dvc("exp", "run", "--run-all", "-j", "2")
    fitting.dvc("exp", "run", "--temp", "-S", "x=3")
    fitting.dvc("repro")
    found = parents(fitting)
    assert found["0"] is None, "no experiment"
    assert found["1"] == found["2"] == found["3"] is not None
    above = fitting.client().get_run(found["1"])
    commit = fitting.git("rev-parse", "HEAD")
    assert above.info.run_name == f"experiments of {commit[:7]}"
    assert above.info.status == "FINISHED"
    assert {run.info.experiment_id for run in fitting.runs()} == {above.info.experiment_id}

    fitting.commit("Another commit")
    fitting.dvc("exp", "run", "-S", "x=4")
    other = fitting.client().get_run(parents(fitting)["4"])
    assert other.info.run_id != above.info.run_id
    assert other.data.tags["git.commit"] == fitting.git("rev-parse", "HEAD")


def test_trials_of_a_sweep_stand_below_its_runs_alone(fitting: Repository) -> None:
    fitting.dvc("repro")
    fitting.commit("The result")
    fitting.provenn("sweep", "fit", "-S", "x=int(1,9)", "--metric", "val/loss", "-N", "2")
    client = fitting.client()
    above = {client.get_run(parent).data.tags["dvc.experiment"] for x, parent in parents(fitting).items() if parent}
    assert above == {run.data.tags["dvc.experiment"] for run in fitting.runs() if "dvc.experiment" in run.data.tags}
    places = [found.experiment_id for found in client.search_experiments()]
    assert not [run for run in client.search_runs(places) if run.info.run_name.startswith("experiments of")]
