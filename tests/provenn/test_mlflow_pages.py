"""What MLflow's pages open with: the best model first, why it is the best, and what an experiment is."""

import json

import pytest
from repository import Repository

from provenn.view.lookup import run_by_id, run_of_model
from provenn.view.pages import CURRENT, VIEW, links
from provenn.view.sync import synchronise

MAKE = """
import json, pathlib, sys
name, accuracy = sys.argv[1], float(sys.argv[2])
pathlib.Path("models").mkdir(exist_ok=True)
pathlib.Path(f"models/{name}.bin").write_text(name)
pathlib.Path(f"{name}.json").write_text(json.dumps({"val/accuracy": accuracy}))
"""
JUDGE = """
import json, pathlib
found = {name: json.loads(pathlib.Path(f"{name}.json").read_text())["val/accuracy"] for name in ("small", "large")}
best = max(found, key=found.get)
judged = {f"{name}/test/accuracy": value - 0.01 for name, value in found.items()}
for name, value in found.items():
    judged |= {f"{name}/test_interval/accuracy_low": value - 0.1, f"{name}/test_interval/accuracy_high": value}
pathlib.Path("models.json").write_text(json.dumps(judged))
pathlib.Path("judged.json").write_text(json.dumps({"best": best, "test/accuracy": found[best] - 0.01}))
pathlib.Path("best.txt").write_text(best)
"""


def pipeline(small: float, large: float) -> dict[str, object]:
    """Two models, a stage that judges them, and one that exports the best."""
    stages: dict[str, object] = {
        name: {
            "desc": f"Train the {name} one.",
            "cmd": f"python make.py {name} {accuracy}",
            "deps": ["make.py"],
            "outs": [f"models/{name}.bin"],
            "metrics": [{f"{name}.json": {"cache": False}}],
            "meta": {"provenn": {"experiment": "nets", "models": {f"models/{name}.bin": {"loader": "code"}}}},
        }
        for name, accuracy in (("small", small), ("large", large))
    }
    stages["judge"] = {
        "cmd": "python judge.py",
        "deps": ["judge.py", "small.json", "large.json", "models/small.bin", "models/large.bin"],
        "outs": ["models.json", "best.txt"],
        "metrics": [{"judged.json": {"cache": False}}],
        "meta": {
            "provenn": {
                "experiment": "nets",
                "champion": "best",
                "headline": {"test/accuracy": "maximize", "val/accuracy": "maximize", "nowhere": "minimize"},
                "scores": {"models.json": "models"},
            }
        },
    }
    stages["export"] = {
        "cmd": "cp models/$(cat best.txt).bin exported.bin",
        "deps": ["best.txt", "models/small.bin", "models/large.bin"],
        "outs": ["exported.bin"],
        "meta": {"provenn": {"experiment": "nets", "tags": {"task": "digits"}}},
    }
    return stages


@pytest.fixture
def judged(repository: Repository) -> Repository:
    """A repository in which the small model is the better one."""
    repository.write("make.py", MAKE)
    repository.write("judge.py", JUDGE)
    repository.write("code/__init__.py", "")
    repository.define(pipeline(0.9, 0.8), artifacts={"net": {"path": "exported.bin", "type": "model"}})
    repository.commit()
    repository.show()
    return repository


def view(repository: Repository) -> dict[str, object]:
    """Return the view that the link to the experiment opens."""
    tags = repository.client().get_experiment_by_name("nets").tags
    return dict(json.loads(tags[f"mlflow.sharedViewState.{VIEW}"]))


def test_the_table_shows_the_models_of_the_lock_with_the_headline_metrics_the_best_first(judged):
    found = view(judged)
    assert found["selectedColumns"] == ["tags.`champion`", "metrics.`test/accuracy`", "metrics.`val/accuracy`"]
    assert (found["orderByKey"], found["orderByAsc"]) == ("metrics.`test/accuracy`", False)
    client = judged.client()
    experiment = client.get_experiment_by_name("nets").experiment_id
    rows = client.search_runs([experiment], found["searchFilter"], order_by=[f"{found['orderByKey']} DESC"])
    assert [run.info.run_name for run in rows] == ["small", "large", "export"]
    assert [run.data.tags.get("champion") for run in rows] == ["judge", None, None]


def test_an_older_result_leaves_the_table_and_another_best_takes_the_tag(judged):
    judged.define(pipeline(0.9, 0.95), artifacts={"net": {"path": "exported.bin", "type": "model"}})
    judged.show()
    client = judged.client()
    experiment = client.get_experiment_by_name("nets").experiment_id
    rows = client.search_runs([experiment], view(judged)["searchFilter"], order_by=["metrics.`test/accuracy` DESC"])
    assert [(run.info.run_name, run.data.tags.get("champion")) for run in rows] == [
        ("large", "judge"),
        ("small", None),
        ("export", None),
    ]
    assert len([run for run in judged.runs() if run.data.tags.get("champion")]) == 1
    assert len([run for run in judged.runs() if CURRENT in run.data.tags]) == 4
    version = client.get_model_version_by_alias("net", "champion")
    assert (version.version, version.tags["champion"]) in ((2, "large"), ("2", "large"))


def test_the_best_run_of_an_older_result_loses_the_tag_and_gets_it_back_with_its_result(judged):
    def tagged():
        return [run.info.run_id for run in judged.runs() if "champion" in run.data.tags]

    def version():
        return judged.client().get_model_version_by_alias("net", "champion")

    artifacts = {"net": {"path": "exported.bin", "type": "model"}}
    before, explained = tagged(), version().description
    judged.define(pipeline(0.95, 0.8), artifacts=artifacts)
    judged.show()
    (better,) = tagged()
    assert [better] != before
    assert "| test/accuracy | 0.94 (0.85 to 0.95) |" in version().description
    judged.define(pipeline(0.9, 0.8), artifacts=artifacts)
    judged.show()
    assert tagged() == before
    assert version().description == explained


def test_a_registered_version_says_which_network_it_is_how_good_and_from_where(judged):
    version = judged.client().get_model_version_by_alias("net", "champion")
    commit = judged.git("rev-parse", "HEAD").strip()
    expected = {"task": "digits", "champion": "small", "git.commit": commit}
    expected |= {"test/accuracy": "0.89 (0.8 to 0.9)", "val/accuracy": "0.9"}
    assert expected.items() <= version.tags.items()
    assert version.description.startswith("small, chosen by judge, trained in run ")
    assert all(f"| {name} | {value} |" in version.description for name, value in expected.items())


def test_a_model_that_somebody_deleted_in_mlflow_is_left_out(judged):
    client = judged.client()
    (export,) = (run for run in judged.runs() if run.data.tags["dvc.stage"] == "export")
    client.delete_logged_model(export.outputs.model_outputs[0].model_id)
    synchronise(judged.root)
    assert run_by_id(client, export.info.run_id).models == []
    assert run_of_model(client, "models:/net@champion").id == export.info.run_id


def test_an_experiment_is_described_unless_somebody_else_has(judged):
    client = judged.client()
    experiment = client.get_experiment_by_name("nets")
    assert "| `small` | 1 | Train the small one. |" in experiment.tags["mlflow.note.content"]
    client.set_experiment_tag(experiment.experiment_id, "mlflow.note.content", "Ours.")
    synchronise(judged.root)
    assert client.get_experiment_by_name("nets").tags["mlflow.note.content"] == "Ours."


def test_a_repository_that_declares_nothing_gets_the_columns_that_most_runs_have(repository):
    command = 'echo \'{{"loss": {0}, "only{0}": 1}}\' > m{0}.json'
    metrics = {f"s{n}": {"cmd": command.format(n), "metrics": [{f"m{n}.json": {"cache": False}}]} for n in (1, 2)}
    repository.define(metrics)
    repository.show()
    (name, page), *others = links(repository.client()).items()
    assert not others
    tags = repository.client().get_experiment_by_name(name).tags
    found = json.loads(tags[f"mlflow.sharedViewState.{VIEW}"])
    assert found["selectedColumns"] == ["metrics.`loss`", "metrics.`only1`", "metrics.`only2`"]
    assert found["orderByKey"] == "attributes.start_time"
    assert page.startswith("#/experiments/")
    assert found["searchFilter"] == f"tags.`{CURRENT}` = 'stage'"
