"""Repositories that never heard of Provenn, one fact each: what DVC has, MLflow shows."""

import pytest

from provenn.lock import read_lock
from provenn.view.sync import synchronise

pytestmark = pytest.mark.slow


def test_a_stage_is_shown_with_its_parameters_numbers_texts_and_files(repository):
    repository.write("params.yaml", "train: {rate: 1e-3, sizes: [3, 2]}\nother: 1\n")
    repository.write("train.py", 'open(\'m.json\', \'w\').write(\'{"val": {"loss": 0.5}, "kind": "good"}\')')
    metrics = [{"m.json": {"cache": False}}]
    repository.define(
        {"train": {"cmd": "python train.py", "deps": ["train.py"], "params": ["train"], "metrics": metrics}}
    )
    repository.show()
    run = repository.run_of("train")
    assert run.data.params == {"rate": "0.001", "sizes": "[3, 2]"}
    assert run.data.metrics == {"val.loss": 0.5}
    assert run.data.tags["kind"] == "good"
    assert repository.artifacts(run) == {"m.json", "provenn/entry.json"}


def test_a_second_sync_writes_nothing(repository):
    repository.define({"a": {"cmd": "echo 1 > a.txt", "outs": ["a.txt"]}})
    repository.show()
    before = [(run.info.run_id, run.data.to_dictionary()) for run in repository.runs()]
    report = synchronise(repository.root)
    assert [stage.state for stage in report.stages] == ["agreed"]
    assert [(run.info.run_id, run.data.to_dictionary()) for run in repository.runs()] == before


def test_files_that_dvc_tracks_are_data_and_no_runs(repository):
    repository.write("raw.csv", "1,2\n")
    repository.dvc_here("add", "--quiet", "raw.csv")
    repository.define({"copy": {"cmd": "cp raw.csv copy.csv", "deps": ["raw.csv"], "outs": ["copy.csv"]}})
    repository.show()
    assert [run.data.tags["dvc.stage"] for run in repository.runs()] == ["copy"]
    (dataset,) = repository.run_of("copy").inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == (
        "raw.csv",
        read_lock(repository.root)["copy"].deps["raw.csv"],
    )
