"""A table of one's own, from a CSV file to an exported champion, in a clone in which another task was done before."""

import csv
import json

import numpy as np
import pytest
from repository import Repository
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier

from notes.data.tasks import load_naming, load_split
from notes.params import load_params

pytestmark = pytest.mark.slow


def add_wine(repository: Repository) -> None:
    """Write scikit-learn's wine as a CSV file with text for classes, and add its sections."""
    table = datasets.load_wine(as_frame=True).frame
    table["target"] = table["target"].map(["barolo", "grignolino", "barbera"].__getitem__)
    table.rename(columns={"target": "cultivar"}).to_csv(repository.root / "data/wine.csv", index=False)

    def change(values):
        table = {"file": "data/wine.csv", "target": "cultivar", "kind": "classification", "validation": 0.2}
        values["prepare_table"]["wine"] = table | {"test": 0.2, "seed": 7}
        values["tasks"].append("wine")
        network = dict(values["train_mlp"]["moons_mlp"]) | {"task": "wine", "loss": "cross_entropy", "batch_size": 16}
        values["train_mlp"]["wine_mlp"] = network | {"hidden_sizes": [16]}
        values["train_baseline"]["wine_random_forest"] = dict(values["train_baseline"]["moons_random_forest"]) | {
            "task": "wine"
        }
        values["evaluate"]["tasks"]["wine"] = {}

    repository.change_params(change)


def ran(repository: Repository, *targets: str) -> set[str]:
    """Run what has changed of the targets; return its stages."""
    stages = json.loads(repository.provenn("repro", "--json", *targets).stdout)["stages"]
    return {stage["stage"] for stage in stages if stage["outcome"] != "unchanged"}


def test_a_csv_file_and_its_sections_are_a_task_and_nothing_else_runs_again(linear: Repository) -> None:
    add_wine(linear)
    targets = ("export_model@wine", "draw_evaluation@wine", "export_model@linear")
    of_wine = {"prepare_table@wine", "train_mlp@wine_mlp", "train_baseline@wine_random_forest", "evaluate@wine"}
    assert ran(linear, *targets) == of_wine | {"check_params", "export_model@wine", "draw_evaluation@wine"}

    splits = {split: load_split("wine", split, linear.root) for split in ("train", "validation", "test")}
    assert [len(split.targets) for split in splits.values()] == [106, 36, 36]
    assert load_naming("wine", linear.root).classes == ["barbera", "barolo", "grignolino"]
    np.testing.assert_allclose(splits["train"].inputs.mean(axis=0), 0, atol=1e-6)
    judged = json.loads((linear.root / "results/evaluate/wine/models.json").read_text())
    settings = load_params(linear.root / "params.yaml").train_baseline["wine_random_forest"].model_dump()
    forest = RandomForestClassifier(settings["trees"], max_depth=settings["max_depth"], random_state=settings["seed"])
    forest.fit(splits["train"].inputs, splits["train"].targets)
    expected = forest.score(splits["test"].inputs, splits["test"].targets)
    assert judged["wine_random_forest/test/accuracy"] == pytest.approx(expected)
    with (linear.root / "results/evaluate/wine/tables/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    right = np.mean([row["true_class"] == row["predicted_class"] for row in rows])
    assert judged["wine_mlp/test/accuracy"] == pytest.approx(right)
    assert right > 0.9
    assert (linear.root / "models/exported/wine.onnx").is_file()
    pictures = {path.name for path in (linear.root / "results/draw_evaluation/wine").glob("*.png")}
    assert pictures == {"model_comparison.png", "confusion_matrix.png", "calibration.png"}

    pair = {"baseline": "wine_random_forest", "differs": "all"}
    linear.change_params(lambda values: values["evaluate"]["tasks"]["wine"].update(counterparts={"wine_mlp": pair}))
    of_the_pair = {"evaluate@wine", "draw_evaluation@wine"}  # the champion, and so its export, is the same
    assert ran(linear, *targets, "evaluate@linear") == {"check_params"} | of_the_pair
    with (linear.root / "results/evaluate/wine/tables/paired_tests.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["model"], row["counterpart"], row["differs"]) == ("wine_mlp", "wine_random_forest", "all")


def test_a_mistake_in_the_file_stops_its_own_stages_alone(linear: Repository) -> None:
    add_wine(linear)
    path = linear.root / "data/wine.csv"
    path.write_text(path.read_text().replace("14.23", "strong", 1))
    finished = linear.provenn("repro", "evaluate@wine", "export_model@linear", code=1)
    assert "line 2: the column alcohol holds strong, no finite number" in finished.stdout + finished.stderr
    assert "failed     prepare_table@wine" in finished.stdout
