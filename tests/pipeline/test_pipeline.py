"""The real `dvc repro`, on a shrunk profile, in clones of this repository."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from mlflow import MlflowClient
from repository import Repository
from ruamel.yaml import YAML

from notes.files import digest

pytestmark = pytest.mark.slow


def made_by_the_pipeline(clone: Repository) -> dict[str, str]:
    folders = ("data/linear", "data/moons", "data/mnist", "models", "results")
    files = [file for folder in folders for file in (clone.root / folder).rglob("*") if file.is_file()]
    return {str(file.relative_to(clone.root)): digest(file) for file in files if file.name != ".gitignore"}


def client_of(clone: Repository) -> MlflowClient:
    return clone.client()


def runs_of(clone: Repository, stage: str, status: str = "FINISHED") -> list:
    return [run for run in clone.runs() if run.data.tags["dvc.stage"] == stage and run.info.status == status]


def test_two_clones_at_different_paths_make_the_same_bytes(clones: tuple[Repository, Repository]) -> None:
    first, second = (made_by_the_pipeline(clone) for clone in clones)
    assert first == second
    assert {"models/linear/linear_scratch.safetensors", "models/moons/moons_random_forest.skops"} <= set(first)
    assert {"models/exported/linear.onnx", "results/draw_evaluation/linear/model_comparison.png"} <= set(first)


def test_the_lock_is_the_same_in_two_clones(clones: tuple[Repository, Repository]) -> None:
    # The order of the entries is that in which the stages happened to run.
    first, second = (YAML(typ="safe").load((clone.root / "dvc.lock").read_text()) for clone in clones)
    assert first == second


def test_a_second_repro_runs_nothing(clones: tuple[Repository, Repository]) -> None:
    printed = clones[0].dvc("repro", "export_model@linear", "train_mlp@mnist_softmax")
    assert "Running stage" not in printed
    assert "up to date" in printed


def test_outputs_carry_no_path_of_their_clone(clones: tuple[Repository, Repository]) -> None:
    for clone in clones:
        for file in made_by_the_pipeline(clone):
            assert str(clone.root).encode() not in (clone.root / file).read_bytes(), file


def test_a_stage_logs_one_finished_run_with_all_that_its_files_hold(clones: tuple[Repository, Repository]) -> None:
    clone = clones[0]
    (run,) = runs_of(clone, "train_mlp@mnist_softmax")
    metrics = json.loads((clone.root / "results/train_mlp/mnist_softmax/metrics.json").read_text())
    assert {name: run.data.metrics[name] for name in metrics if name != "epoch"} == {
        name: value for name, value in metrics.items() if name != "epoch"
    }
    assert run.data.params["learning_rate"] == "0.005"
    assert run.data.tags["framework"] == "pytorch"
    assert run.data.tags["git.commit"]
    assert run.data.tags["numeric.platform"]
    history = client_of(clone).get_metric_history(run.info.run_id, "val/loss")
    assert {point.step for point in history} >= {1, 2}
    (dataset,) = run.inputs.dataset_inputs
    lock = (clone.root / "dvc.lock").read_text()
    assert dataset.dataset.digest in lock
    names = {artifact.path for artifact in client_of(clone).list_artifacts(run.info.run_id)}
    assert names == {"provenn", "results"}


def test_test_metrics_stand_beside_the_hyperparameters_of_the_training_run(
    clones: tuple[Repository, Repository],
) -> None:
    clone = clones[0]
    (run,) = runs_of(clone, "train_regression@linear-scratch")
    results = json.loads((clone.root / "results/evaluate/linear/models.json").read_text())
    assert run.data.metrics["test/rmse"] == results["linear_scratch/test/rmse"]
    assert run.data.params["learning_rate"] == "0.1"


def test_the_registered_champion_computes_what_the_exported_file_does(clones: tuple[Repository, Repository]) -> None:
    clone = clones[0]
    version = client_of(clone).get_model_version_by_alias("linear", "champion")
    exported = (clone.root / "models/exported/linear.onnx").read_bytes()
    registered = next((clone.root / "mlruns" / "artifacts").rglob("model.onnx")).read_bytes()
    assert version.tags["dvc.digest"] == digest(clone.root / "models/exported/linear.onnx")
    inputs = {"inputs": np.linspace(-2, 2, 9).reshape(-1, 1)}
    outputs = [onnxruntime.InferenceSession(model).run(None, inputs)[0] for model in (exported, registered)]
    np.testing.assert_array_equal(*outputs)


def test_training_never_sees_test_data(clones: tuple[Repository, Repository], tmp_path: Path) -> None:
    """With every test row gone, all models are still trained, to the same bytes."""
    trained = clones[1]
    blind = tmp_path / "blind"
    shutil.copytree(trained.root, blind, ignore=shutil.ignore_patterns("test"))
    model = blind / "models/moons/moons_random_forest.skops"
    expected = digest(model)
    model.unlink()
    assert not list((blind / "data").rglob("test"))
    clone = Repository(blind)
    command = "python src/stage.py portable stages/train_baseline.py moons_random_forest"
    clone.run("sh", "-c", command)
    assert digest(model) == expected


def test_a_changed_parameter_runs_only_that_model(clones: tuple[Repository, Repository]) -> None:
    clone = clones[0]
    before = json.loads(clone.dvc("status", "--json"))
    clone.change_params(lambda values: values["train_mlp"]["moons_mlp"].update(epochs=3))
    after = json.loads(clone.dvc("status", "--json"))
    clone.run("git", "checkout", "params.yaml")
    assert set(after) - set(before) == {"check_params", "train_mlp@moons_mlp"}


def test_an_experiment_in_a_temporary_workspace_lands_in_the_same_store(clones: tuple[Repository, Repository]) -> None:
    clone = clones[1]
    before = {run.info.run_id for run in runs_of(clone, "train_mlp@moons_mlp")}
    clone.dvc("exp", "run", "--temp", "-S", "train_mlp.moons_mlp.learning_rate=0.02", "train_mlp@moons_mlp")
    (run,) = [run for run in runs_of(clone, "train_mlp@moons_mlp") if run.info.run_id not in before]
    assert run.data.params["learning_rate"] == "0.02"
    assert run.data.tags["dvc.experiment"]
    assert "0.02" in clone.dvc("exp", "show", "--csv")
    assert "learning_rate: 0.01" in (clone.root / "params.yaml").read_text()


def test_a_diverging_training_stops_with_one_sentence_and_a_failed_run(clones: tuple[Repository, Repository]) -> None:
    clone = clones[1]
    clone.change_params(lambda values: values["train_regression"]["linear"]["scratch"].update(learning_rate=1e6))
    printed = clone.dvc("repro", "--single-item", "train_regression@linear-scratch", code=None)
    clone.run("git", "checkout", "params.yaml")
    assert "the loss is no longer finite in iteration" in printed
    assert "lower learning_rate" in printed
    assert "Traceback" not in printed
    (failed,) = runs_of(clone, "train_regression@linear-scratch", "FAILED")
    assert "no longer finite" in failed.data.tags["failure"]
    clone.dvc("checkout", "--force", "train_regression@linear-scratch")


def test_bad_params_are_refused_before_an_output_is_touched(clones: tuple[Repository, Repository]) -> None:
    clone = clones[1]
    before = made_by_the_pipeline(clone)
    clone.change_params(lambda values: values["train_mlp"]["moons_mlp"].update(learing_rate=0.1))
    printed = clone.dvc("repro", "train_mlp@moons_mlp", code=None)
    clone.run("git", "checkout", "params.yaml")
    assert "train_mlp.moons_mlp.learing_rate: unknown; did you mean learning_rate?" in printed
    assert made_by_the_pipeline(clone) == before
