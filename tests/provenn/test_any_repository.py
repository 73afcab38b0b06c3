"""Repositories that never heard of Provenn, one fact each: what DVC has, MLflow shows."""

from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.artifacts import download_artifacts
from repository import Repository

from provenn.files import UserError
from provenn.lock import read_lock
from provenn.view.sync import synchronise

WRITE = "file = pathlib.Path(name); file.parent.mkdir(parents=True, exist_ok=True); file.write_text(text)"
NET = """
class Net:
    def __init__(self, text): self.text = text
    def predict(self, data): return self.text
"""


def points(repository: Repository, run: Any) -> dict[str, list[tuple[int, float]]]:
    """Return the curves of a run."""
    client = repository.client()
    found = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics if "loss" in name}
    return {name: [(point.step, point.value) for point in history] for name, history in found.items()}


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


def test_metrics_are_read_in_every_format_and_those_of_one_name_stay_apart(repository):
    files = {"a/m.json": '{"x": 1}', "b/m.yaml": "x: 1e-3", "c.toml": "x = 3", "d.json": "no JSON"}
    repository.write("make.py", f"import pathlib\nfor name, text in {files!r}.items():\n    {WRITE}\n")
    metrics = [{name: {"cache": False}} for name in files]
    repository.define({"make": {"cmd": "python make.py", "metrics": metrics}})
    repository.show()
    assert repository.run_of("make").data.metrics == {"a/m.x": 1, "b/m.x": 0.001, "c.x": 3}


def test_a_table_among_the_plots_is_a_curve_when_its_x_counts_upwards(repository):
    files = {
        "loss.csv": "epoch,loss,note\n1,0.5,a\n2,0.25,b\n",
        "more/val.json": '{"any": [{"step": 0, "loss": 3}, {"step": 10, "loss": 2}]}',
        "confusion.csv": "actual,predicted\n0,1\n0,0\n1,1\n",
        "picture.png": "no table",
    }
    repository.write("make.py", f"import pathlib\nfor name, text in {files!r}.items():\n    {WRITE}\n")
    plots = [{"loss.csv": {"x": "epoch"}}, {"confusion.csv": {"x": "actual", "y": "predicted"}}, "picture.png"]
    drawn = {"validation": {"x": {"more/val.json": "step"}, "y": {"more/val.json": "loss"}}}
    repository.define({"make": {"cmd": "python make.py", "plots": plots, "outs": ["more"]}}, plots=[drawn])
    repository.show()
    run = repository.run_of("make")
    assert points(repository, run) == {"loss.loss": [(1, 0.5), (2, 0.25)], "val.loss": [(0, 3), (10, 2)]}
    assert repository.artifacts(run) == {*files, "provenn/entry.json"}


def test_the_folder_of_dvclive_is_numbers_curves_and_files(repository):
    files = {
        "dvclive/metrics.json": '{"train": {"loss": 0.25}, "step": 1}',
        "dvclive/params.yaml": "rate: 0.1\n",
        "dvclive/plots/metrics/train/loss.tsv": "step\tloss\n0\t0.5\n1\t0.25\n",
        "dvclive/plots/metrics/val/loss.tsv": "step\tloss\n0\t0.75\n",
        "dvclive/plots/images/sample.png": "an image",
        "dvclive/dvc.yaml": "params:\n- params.yaml\nmetrics:\n- metrics.json\n"
        "plots:\n- plots/metrics:\n    x: step\n- plots/images\n",
    }
    repository.write("make.py", f"import pathlib\nfor name, text in {files!r}.items():\n    {WRITE}\n")
    outs = [{"dvclive/plots": {"cache": False}}, {"dvclive/metrics.json": {"cache": False}}]
    repository.define({"live": {"cmd": "python make.py", "outs": outs}})
    repository.show()
    run = repository.run_of("live")
    assert run.data.metrics["train.loss"] == 0.25
    curves = {"train/loss": [(0, 0.5), (1, 0.25)], "val/loss": [(0, 0.75)]}
    assert points(repository, run) == curves | {"train.loss": [(1, 0.25)]}
    shown = {name for name in files if "plots" in name or name.endswith("metrics.json")}
    assert repository.artifacts(run) >= shown


def test_a_model_among_the_artifacts_becomes_a_version_a_content_under_its_own_name(repository):
    repository.write("params.yaml", "n: 1\n")
    command = "mkdir -p m/deep; echo ${n} > m/deep/net.bin; echo same > m/same.bin"
    artifacts = {
        "net": {"path": "m", "type": "model", "desc": "A folder.", "labels": ["small"]},
        "same": {"path": "m/same.bin", "type": "model"},
        "table": {"path": "m/deep", "type": "dataset"},
    }
    definition = {"stages": {"train": {"cmd": command, "outs": ["m"]}}, "artifacts": artifacts}
    repository.write("deep/er/dvc.yaml", definition)
    repository.write("deep/er/params.yaml", "n: 1\n")
    assert set(repository.show().registered) == {"deep.er.net", "deep.er.same"}
    repository.write("deep/er/params.yaml", "n: 2\n")
    assert repository.show().registered == ["deep.er.net"]
    client = repository.client()
    model = client.get_registered_model("deep.er.net")
    assert (model.description, model.tags, model.aliases) == ("A folder.", {"small": "true"}, {"champion": 2})
    assert [found.version for found in client.search_model_versions("name = 'deep.er.same'")] == [1]
    place = client.get_model_version_download_uri("deep.er.net", "2")
    assert Path(download_artifacts(place), "m/deep/net.bin").read_text() == "2\n"


def test_a_declaration_for_other_tools_is_none_for_provenn_and_a_mistake_is_said_in_a_sentence(repository):
    stage = {"cmd": "echo 1 > a.txt", "outs": ["a.txt"]}
    repository.define({"a": stage | {"meta": {"owner": "me"}}, "b": {"cmd": "true", "meta": "text"}})
    repository.show()
    assert len(repository.runs()) == 2
    repository.define({"a": stage, "b": {"cmd": "true", "meta": {"provenn": {"nme": "x"}}}})
    with pytest.raises(UserError, match=r"stage b: meta\.provenn\.nme: .* the fields are .*experiment, name"):
        synchronise(repository.root)


def test_an_old_artifact_and_model_are_found_in_a_repository_that_was_moved_or_copied(repository, tmp_path):
    repository.write("loader.py", "def _load_pyfunc(path):\n    return Net(open(path).read())\n" + NET)
    stage = {"cmd": "echo 7 > net.txt; echo '{\"n\": 1}' > m.json", "outs": ["net.txt"], "metrics": ["m.json"]}
    declared = {"meta": {"provenn": {"models": {"net.txt": {"loader": "loader"}}}}}
    artifacts = {"net": {"path": "net.txt", "type": "model"}}
    repository.define({"train": stage | declared}, artifacts=artifacts)
    repository.show()
    copied = repository.copy(tmp_path / "copied")
    repository.root.rename(tmp_path / "moved")
    moved = Repository(tmp_path / "moved")
    for there in (copied, moved):
        report = synchronise(there.root)
        assert [stage.state for stage in report.stages] == ["agreed"]
        client = there.client()
        run = there.run_of("train")
        assert Path(client.download_artifacts(run.info.run_id, "m.json")).read_text() == '{"n": 1}\n'
        assert mlflow.pyfunc.load_model("models:/net@champion").predict([[0]]) == "7\n"
        assert Path(run.info.artifact_uri).is_relative_to(there.root / "mlruns")  # where new ones go
