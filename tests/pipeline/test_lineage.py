"""Any result leads back to its commit, data and parameters and forward to its metrics and export."""

from typing import Any

import pytest
from repository import Repository

from provenn.files import UserError, digest
from provenn.trust.lineage import trace
from provenn.view.sync import synchronise

pytestmark = pytest.mark.slow
TRAINING = "train_regression@linear-scratch"
MODEL = "models/linear/linear_scratch.safetensors"


def stages_before(dependencies: list[dict[str, Any]]) -> set[str]:
    """Return the names of all stages that made something, at any depth."""
    names: set[str] = set()
    for dependency in dependencies:
        for producer in dependency["made_by"]:
            names |= {producer["stage"]} | stages_before(producer["dependencies"])
    return names


def test_a_model_leads_back_to_its_commit_and_data_and_forward_to_its_test_metrics(linear: Repository) -> None:
    synchronise(linear.root)
    chain = trace(MODEL, linear.root)
    before_the_results = linear.git("rev-parse", "HEAD^")
    assert chain["commit"] == {"id": before_the_results, "dirty": False, "patch": False}
    assert chain["stage"]["name"] == TRAINING
    assert chain["parameters"]["max_iterations"] == "20"
    assert stages_before(chain["dependencies"]) == {"generate_synthetic", "check_params"}
    assert chain["run"]["status"] == "FINISHED"
    assert {"val/rmse", "test/rmse", "test_interval/rmse_low", "test_interval/rmse_high"} <= chain["metrics"].keys()
    assert digest(linear.root / MODEL) in {out["digest"] for out in chain["outputs"]}
    assert chain["unknown"] == []
    assert trace(chain["run"]["id"][:8], linear.root)["stage"] == chain["stage"]


def test_the_champion_leads_back_through_a_folder_of_models_to_every_training(linear: Repository) -> None:
    synchronise(linear.root)
    chain = trace("models:/linear@champion", linear.root)
    assert chain["stage"]["name"] == "export_model@linear"
    assert chain["registered"] == ["linear version 1 @champion"]
    trained = {"train_regression@linear-scratch", "train_regression@linear-module"}
    trained |= {"train_baseline@linear_least_squares", "train_baseline@linear_dummy"}
    assert trained | {"evaluate@linear", "generate_synthetic"} <= stages_before(chain["dependencies"])

    forward = trace("models/linear/linear_scratch.safetensors", linear.root)
    assert "export_model@linear" in stages_after(forward["used_by"])
    assert stages_after(forward["used_by"])["export_model@linear"] == ["linear"]


def stages_after(readers: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the stages that read something, at any depth, and the artifacts that each made."""
    found: dict[str, list[str]] = {}
    for reader in readers:
        found |= {reader["stage"]: reader["artifacts"]} | stages_after(reader["used_by"])
    return found


def test_what_is_not_known_is_said(linear: Repository) -> None:
    entry_file = linear.root / MODEL
    content = digest(entry_file)
    (linear.root / ".dvc/cache/files/md5" / content[:2] / content[2:]).unlink()
    entry_file.unlink()
    unknown = " ".join(trace(MODEL, linear.root)["unknown"])
    assert "the store has none for this result; `provenn sync` adds it" in unknown
    assert f"the content of {MODEL} ({content}): neither here, nor in the cache, nor in git" in unknown

    shown = linear.provenn("lineage", MODEL).stdout
    assert "not known" in shown
    assert "made by generate_synthetic" in shown


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("0123abcd", "no run with an id that begins with 0123abcd"),
        ("params.yaml", "no stage makes params.yaml"),
        ("models/linear", "name one of the files in it"),
        ("models:/linear@champion", "is not registered"),
        ("nonsense", "is no file, stage, run id or models"),
    ],
)
def test_a_target_that_is_unknown_is_refused_in_one_sentence(linear: Repository, target: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        trace(target, linear.root)
