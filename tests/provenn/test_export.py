"""`provenn export`: each format is read back by its own library, and compared with the files themselves."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from repository import Repository, once
from typer.testing import CliRunner

from provenn.cli import app
from provenn.files import UserError

TRAIN = """
import json, pathlib
pathlib.Path("models").mkdir(exist_ok=True)
pathlib.Path("models/digits.bin").write_bytes(bytes(range(16)))
pathlib.Path("train.json").write_text(json.dumps({"loss": 0.25}))
"""
STAGES = {
    "prepare": {"cmd": "mkdir -p data && cp raw.csv data/clean.csv && echo note > data/note.txt", "deps": ["raw.csv"],
                "outs": ["data"], "desc": "Clean the table."},
    "train": {"cmd": "python train.py", "deps": ["train.py", "data/clean.csv", "requirements.lock"],
              "params": ["train"], "outs": ["models/digits.bin"], "metrics": [{"train.json": {"cache": False}}],
              "desc": "Train the network."},
    "evaluate": {"cmd": "echo '{\"accuracy\": 0.75}' > score.json", "deps": ["models/digits.bin", "data"],
                 "metrics": [{"score.json": {"cache": False}}]},
    "convert": {"cmd": "mkdir -p both && cp models/digits.bin both/a.bin && cp raw.csv both/b.bin",
                "deps": ["models/digits.bin", "raw.csv"], "outs": ["both"]},
    "compare": {"cmd": "echo '{\"gap\": 0.5}' > gap.json", "deps": ["models/digits.bin", "both"],
                "metrics": [{"gap.json": {"cache": False}}]},
    "score": {"cmd": "echo '{\"digits\": {\"f1\": 1}, \"digits/f1\": 0.5}' > f1.json",
              "deps": ["models/digits.bin", "both"], "outs": [{"f1.json": {"cache": False}}],
              "meta": {"provenn": {"scores": {"f1.json": "models"}}}},
}  # fmt: skip
ARTIFACTS = {
    "digits": {"path": "models/digits.bin", "type": "model", "desc": "For the tests alone.", "labels": ["vision"]},
    "both": {"path": "both", "type": "model"},
}
PARAMETERS = "train:\n  limit: .inf\n  rate: 0.1\n  sizes: [3, 2]\n  name: a|b\n"


def exportable(root: Path) -> None:
    """Make a repository with a model, one in a folder, a data set by a .dvc file and one by a stage."""
    repository = Repository.make(root)
    repository.write("params.yaml", PARAMETERS)
    repository.write("raw.csv", "size,weight,ripe,kind\n1,0.5,true,apple\n2,1.5,false,a ripe pear\n")
    repository.write("requirements.lock", "# pinned\nnumpy==2.3.1\npandas[sql] == 3.0.0 ; python_version > '3'\n-e .\n")
    repository.write("train.py", TRAIN)
    repository.write("LICENSE", "MIT\n")
    repository.define(STAGES, artifacts=ARTIFACTS)
    repository.dvc_here("add", "raw.csv")
    repository.dvc_here("repro")
    repository.commit("Results")


@pytest.fixture
def exported(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Such a repository, as the working folder."""
    repository = Repository(once(tmp_path_factory, "exportable", exportable)).copy(tmp_path / "repository")
    monkeypatch.chdir(repository.root)
    return repository


def export(*arguments: str) -> str:
    """Return what the command prints."""
    result = CliRunner().invoke(app, ["export", *arguments])
    if result.exception:
        raise result.exception
    return result.stdout


def sha256(path: str) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def bill(*arguments: str) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return the components of a bill of materials by name, and what depends on what, by name."""
    made = json.loads(export("ml-bom", *arguments))
    names = {one["bom-ref"]: one["name"] for one in [*made["components"], made["metadata"]["component"]]}
    needs = {names[one["ref"]]: sorted(names[ref] for ref in one.get("dependsOn", [])) for one in made["dependencies"]}
    return {one["name"]: one for one in made["components"]}, needs


def crate() -> dict[str, dict[str, Any]]:
    """Return the entities of the crate by id."""
    return {one["@id"]: one for one in json.loads(export("ro-crate"))["@graph"]}


def test_a_card_has_the_metrics_of_the_model_alone_and_what_trained_it(exported):
    text = export("model-card", "digits")
    _, front, body = text.split("---\n", 2)
    (index,) = yaml.safe_load(front)["model-index"]
    measured = {(one["dataset"]["name"], m["name"]): m["value"] for one in index["results"] for m in one["metrics"]}
    # Not the gap, which is of two models.
    assert measured == {("data/clean.csv", "loss"): 0.25, ("data", "accuracy"): 0.75, ("unknown", "f1"): 0.5}
    assert yaml.safe_load(front)["tags"] == ["dvc", "vision"]
    assert "## Intended use\n\nFor the tests alone." in body
    assert "python train.py" in body
    assert exported.git("rev-parse", "HEAD") in body
    assert '| name | "a\\|b" |' in body
    for path in ("models/digits.bin", "data/clean.csv", "train.py"):
        assert re.search(rf"\| {path} \|.*{sha256(path)}", body), path


@pytest.mark.parametrize("target", ["digits", "models/digits.bin", "train"])
def test_a_model_is_named_by_artifact_path_or_stage(exported, target):
    assert export("model-card", target) == export("model-card", "digits")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["model-card"], "there are 2: name one, such as models/digits.bin"),
        (["model-card", "data"], "data is no model: give it the type `model`"),
        (["model-card", "nothing"], "has no result nothing"),
        (["croissant"], "name an output of a stage"),
        (["ml-bom", "prepare"], "prepare is no model"),
        (["ml-bom", "../outside"], "has no result ../outside"),
    ],
)
def test_a_target_that_does_not_fit_is_one_sentence(exported, arguments, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        export(*arguments)


def test_a_bill_leads_from_a_model_to_its_raw_data_and_packages(exported):
    components, needs = bill()
    assert components["digits"]["type"] == "machine-learning-model"
    assert {one["alg"]: one["content"] for one in components["digits"]["hashes"]}["SHA-256"] == sha256(
        "models/digits.bin"
    )
    assert {one["name"]: one["hashes"][1]["content"] for one in components["both"]["components"]} == {
        "both/a.bin": sha256("both/a.bin"),
        "both/b.bin": sha256("both/b.bin"),
    }
    assert components["raw.csv"]["type"] == components["data/clean.csv"]["type"] == "data"
    assert components["pandas"]["purl"] == "pkg:pypi/pandas@3.0.0"
    assert needs["digits"] == ["data/clean.csv", "numpy", "pandas"]
    assert needs["data/clean.csv"] == ["raw.csv"]
    assert needs["both"] == ["digits", "raw.csv"]
    assert needs["pipeline"] == ["both", "digits", "numpy", "pandas"]
    card = components["digits"]["modelCard"]
    numbers = {one["type"]: one["value"] for one in card["quantitativeAnalysis"]["performanceMetrics"]}
    assert numbers == {"loss": "0.25", "accuracy": "0.75", "f1": "0.5"}
    properties = {one["name"]: one["value"] for one in components["digits"]["properties"]}
    assert (properties["dvc:parameter:rate"], properties["dvc:parameter:sizes"]) == ("0.1", "[3, 2]")
    assert bill("train")[0].keys() == components.keys() - {"both"}


def test_a_bill_is_read_back_by_the_library_as_it_was(exported):
    from cyclonedx.model.bom import Bom

    made = json.loads(export("ml-bom"))
    read = Bom.from_json(made)
    assert read.validate()
    assert read.metadata.timestamp.isoformat() == exported.git("show", "-s", "--format=%cI", "HEAD")
    assert {one.bom_ref.value for one in read.components} == {one["bom-ref"] for one in made["components"]}


def test_a_crate_has_each_stage_as_an_action_with_its_inputs_and_outputs(exported):
    from rocrate.rocrate import ROCrate

    exported.write("ro-crate-metadata.json", export("ro-crate"))
    read = ROCrate(exported.root)
    actions = {one["name"]: one for one in read.root_dataset["mentions"]}
    assert actions.keys() == STAGES.keys()
    train = actions["train"]
    assert train["instrument"]["name"] == "python train.py"
    assert {one["name"]: one["value"] for one in train["object"] if one.type == "PropertyValue"} == {
        "rate": 0.1,
        "sizes": "[3, 2]",
        "name": "a|b",
        "limit": "Infinity",
    }
    files = {one.id: one for one in train["object"] if one.type == "File"}
    assert files.keys() == {"train.py", "data/clean.csv", "requirements.lock"}
    assert [one.id for one in train["result"]] == ["models/digits.bin", "train.json"]
    for path, file in files.items():
        assert file["sha256"] == sha256(path)
        assert int(file["contentSize"]) == Path(path).stat().st_size
    assert read.root_dataset["version"] == exported.git("rev-parse", "HEAD")
    assert read.root_dataset["license"].id == "LICENSE"


def test_what_a_stage_read_before_it_was_changed_is_not_taken_for_the_file_of_the_commit(exported):
    before = crate()["train.py"]
    exported.write("train.py", TRAIN + "# changed\n")
    exported.commit("The code is changed, and did not run")
    entities = crate()
    (earlier,) = (one for name, one in entities.items() if name.startswith("#train.py@"))
    assert "train.py" not in entities
    assert (earlier["name"], earlier["identifier"]) == ("train.py", before["identifier"])


@pytest.mark.parametrize("target", ["raw.csv", "data"])
def test_a_data_set_is_loaded_by_mlcroissant_with_its_records(exported, target):
    import mlcroissant

    exported.write("croissant.json", export("croissant", target))
    loaded = mlcroissant.Dataset(jsonld=exported.root / "croissant.json")
    assert not loaded.metadata.ctx.issues.errors
    for file in loaded.metadata.distribution:
        assert file.sha256 == sha256(file.content_url)
    (table,) = (set_ for set_ in loaded.metadata.record_sets)
    types = {field.name: str(field.data_types[0]).rpartition("/")[2] for field in table.fields}
    assert types == {"size": "Integer", "weight": "Float", "ripe": "Boolean", "kind": "Text"}
    records = [{name.rpartition("/")[2]: value for name, value in one.items()} for one in loaded.records(table.id)]
    assert records == [
        {"size": 1, "weight": 0.5, "ripe": True, "kind": b"apple"},
        {"size": 2, "weight": 1.5, "ripe": False, "kind": b"a ripe pear"},
    ]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n1,2,3,4,5\n", b"a,b\n\xff,1\n"])
def test_a_file_that_is_no_table_has_no_columns_but_its_digest(exported, content):
    (exported.root / "broken.csv").write_bytes(content)
    exported.dvc_here("add", "broken.csv")
    exported.commit()
    made = json.loads(export("croissant", "broken.csv"))
    assert made["distribution"][0]["sha256"] == sha256("broken.csv")
    assert "recordSet" not in made


FORMATS = (["model-card", "digits"], ["ml-bom"], ["ro-crate"], ["croissant", "data"])


@pytest.mark.parametrize("arguments", FORMATS, ids=lambda arguments: arguments[0])
def test_the_same_commit_gives_the_same_bytes_whatever_is_here_now(exported, tmp_path, arguments):
    before = export(*arguments)
    exported.write("raw.csv", "changed\n")
    exported.write("train.json", "{}")
    exported.write("params.yaml", "train: {rate: 7}\n")
    (exported.root / "models/digits.bin").unlink()
    exported.provenn("export", *arguments, "--output", str(tmp_path / "out"), TZ="Asia/Tokyo", PYTHONHASHSEED="1")
    assert (tmp_path / "out").read_text() == before


@pytest.mark.fault("an export of data that is nowhere any more", "one sentence names the file and `dvc pull`")
def test_data_that_is_nowhere_is_named(exported):
    for file in (exported.root / "raw.csv", *(exported.root / ".dvc/cache").rglob("*")):
        if file.is_file():
            file.unlink()
    for path in ("data/clean.csv", "data/note.txt"):
        (exported.root / path).unlink()
    with pytest.raises(UserError, match=r"raw\.csv is nowhere as the commit has it: `dvc pull raw\.csv`"):
        export("croissant", "raw.csv")
    entity = crate()["data/"]
    assert entity["identifier"].endswith(".dir")


def test_without_the_extra_the_command_that_installs_it_is_named(exported, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("provenn.trust.exports.ml_bom")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cyclonedx.model", None)
    with pytest.raises(UserError, match=r"ml-bom needs .*cyclonedx.*pip install 'provenn\[export\]'"):
        export("ml-bom")


def test_without_a_commit_there_is_nothing_to_export(repository):
    with pytest.raises(UserError, match="there is no commit to export"):
        export("ro-crate")


def test_a_repository_below_the_root_of_git_that_reads_a_file_from_outside(tmp_path, monkeypatch):
    repository = Repository.make(tmp_path / "top", folder="below")
    outside = tmp_path / "out side.bin"
    outside.write_text("1")
    made_by = {"cmd": f"cp '{outside}' model.bin", "deps": [str(outside)], "outs": ["model.bin"]}
    repository.define({"train": made_by}, artifacts={"one": {"path": "model.bin", "type": "model"}})
    repository.write("requirements.lock", "numpy==2.3.1\n")
    repository.dvc_here("repro")
    repository.commit()
    monkeypatch.chdir(repository.root)
    components, needs = bill()
    assert components["one"]["hashes"][1]["content"] == sha256("model.bin")
    assert needs["pipeline"] == ["numpy", "one"]
    entities = crate()
    assert entities["#train"]["object"]["@id"] == f"file://{tmp_path}/out%20side.bin"
    assert entities["model.bin"]["sha256"] == sha256("model.bin")


def test_no_password_of_an_address_is_exported(exported):
    stages = STAGES | {"fetch": {"cmd": "echo https://me:secret@example.org > got", "outs": ["got"]}}
    exported.define(stages, artifacts={"got": {"path": "got", "type": "model"}})
    exported.dvc_here("repro", "fetch")
    exported.commit()
    for format_ in ("model-card", "ml-bom", "ro-crate"):
        assert "example.org" in export(format_, "got")
        assert "secret" not in export(format_, "got")


VALIDATE = Path(__file__).with_name("validators.py")
VALIDATORS = ("roc-validator==0.13.0", "cyclonedx-python-lib[json-validation]==11.12.0", "huggingface-hub")


@pytest.mark.slow
def test_each_format_passes_the_validator_of_those_who_made_it(exported, tmp_path):
    """They need versions that ours do not go with, and so an environment of their own."""
    from rocrate import rocrate

    context = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"
    python = tmp_path / "environment" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *VALIDATORS], check=True)
    exported.write("ro-crate-metadata.json", export("ro-crate"))
    exported.write("bom.json", export("ml-bom"))
    exported.write("card.md", export("model-card", "digits"))
    command = [str(python), str(VALIDATE), str(context)]
    found = subprocess.run(command, cwd=exported.root, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    assert json.loads(found.stdout.splitlines()[-1]) == {"crate": [], "bill": [], "card": [0.25, 0.5, 0.75]}
