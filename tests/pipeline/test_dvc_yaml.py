"""dvc.yaml against the code: a stage declares what it imports, and nothing else decides when it runs."""

import ast
import json
from pathlib import Path

import grimp
import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from provenn.files import digest
from provenn.params import load_record_params
from provenn.tracking.entry import read_entry

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "experiments" / "record"
STAGES, RECORD_STAGES = (
    YAML(typ="safe").load((folder / "dvc.yaml").read_text())["stages"] for folder in (ROOT, RECORD)
)
GRAPH = grimp.build_graph("provenn")

STUDY = "src/provenn/studies/${key}.py"
# No output depends on these: the schema only refuses (it has no defaults, values come from params.yaml), and tracking
# only shows. A changed schema or MLflow view must not retrain anything.
NOT_COMPUTING = ("provenn.params", "provenn.tracking")


def imported_files(script: Path) -> set[str]:
    """Return the files under src/ whose code the script runs, as paths of the repository."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("provenn"):
            modules |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)} & GRAPH.modules
    modules = {module for module in modules if not module.startswith(NOT_COMPUTING)}
    for module in set(modules):
        modules |= GRAPH.find_upstream_modules(module)
    modules |= {module.rsplit(".", parents)[0] for module in modules for parents in range(1, module.count(".") + 1)}
    modules = {module for module in modules if not module.startswith(NOT_COMPUTING)}
    return {str(file.relative_to(ROOT)) for module in modules if has_code(file := source(module))}


def source(module: str) -> Path:
    path = ROOT / "src" / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def has_code(path: Path) -> bool:
    """A package's file that holds a docstring alone is no reason to run anything."""
    return len(ast.parse(path.read_text()).body) > 1


def is_study(file: str) -> bool:
    return Path(file).parent.name == "studies" and Path(file).stem in STAGES["study"]["foreach"]


def definition(stage: str) -> dict:
    return STAGES[stage].get("do", STAGES[stage])


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_declares_every_source_file_that_its_script_imports(stage: str) -> None:
    declared = {dep for dep in definition(stage)["deps"] if dep.startswith(("src/", "stages/"))}
    script = f"stages/{stage}.py"
    imported = imported_files(ROOT / script) | {script}
    if stage == "study":
        # It imports the study by its name, and what one study may import is a dependency of all.
        for name in STAGES[stage]["foreach"]:
            imported |= imported_files(ROOT / "src" / "provenn" / "studies" / f"{name}.py")
        imported = {file for file in imported if not is_study(file)} | {STUDY}
    checked = {dep for dep in declared if dep.startswith("src/provenn/params/")}
    assert declared - checked == imported
    assert bool(checked) == (stage == "check_params")


@pytest.mark.parametrize("stage", sorted(RECORD_STAGES))
def test_a_stage_of_the_record_is_the_same_stage_with_the_same_sources(stage: str) -> None:
    declared = {dep.removeprefix("../../") for dep in RECORD_STAGES[stage]["deps"] if dep.startswith("../../")}
    sources = {dep for dep in declared if dep != "requirements.lock"}
    script = f"stages/{stage}.py"
    assert RECORD_STAGES[stage]["cmd"].startswith(f"PYTHONPATH=../../src python ../../{script}")
    if stage in STAGES:
        assert sources == {dep for dep in definition(stage)["deps"] if dep.startswith(("src/", "stages/"))}
        assert ("requirements.lock" in declared) == ("requirements.lock" in definition(stage)["deps"])
    else:
        assert sources == imported_files(ROOT / script) | {script}


def test_the_record_reads_test_data_in_its_evaluation_alone() -> None:
    readers = {stage for stage, content in RECORD_STAGES.items() if "data/mnist/test" in content["deps"]}
    assert readers == {"evaluate_seeds"}


def test_the_record_trains_and_judges_the_same_networks_and_seeds() -> None:
    trained, judged = (RECORD_STAGES[stage]["matrix"] for stage in ("train_mlp", "evaluate_seeds"))
    assert trained["network"] == judged["network"]
    models = [dep for dep in RECORD_STAGES["evaluate_seeds"]["deps"] if dep.startswith("models/")]
    assert models == [f"models/mnist/${{item.network}}-{seed}.safetensors" for seed in trained["seed"]]
    networks = load_record_params(RECORD / "params.yaml").train_mlp
    assert list(networks) == trained["network"]
    assert {network.train_on for network in networks.values()} == {"train_and_validation"}


def test_every_study_has_a_module_and_a_section_of_its_own_name() -> None:
    modules = {path.stem for path in (ROOT / "src" / "provenn" / "studies").glob("*.py")}
    params = YAML(typ="safe").load((ROOT / "params.yaml").read_text())["study"]
    assert set(STAGES["study"]["foreach"]) == set(params) - {"seed"} == modules - {"__init__", "base", "experiment"}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_has_a_script_a_section_and_a_description_of_its_own_name(stage: str) -> None:
    assert (ROOT / "stages" / f"{stage}.py").is_file()
    assert definition(stage)["desc"].endswith(".")
    params = definition(stage).get("params", [])
    assert all(param.split(".")[0] == stage for param in params)
    assert f"stages/{stage}.py" in definition(stage)["cmd"]


def test_test_data_is_a_dependency_of_evaluation_and_export_alone() -> None:
    readers = {stage for stage in STAGES for dep in definition(stage)["deps"] if dep.endswith("/test")}
    assert readers == {"evaluate", "export_model"}


def test_a_stage_starts_while_another_dvc_is_writing_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Repo.init(str(tmp_path), no_scm=True)
    (tmp_path / "input.txt").write_text("input\n")
    stage = {"cmd": "true", "deps": ["input.txt"], "outs": ["output.txt"]}
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": {"first": stage}}))
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\nstages:\n  first:\n    cm")
    entry, _ = read_entry("first")
    assert entry.deps == {"input.txt": digest(tmp_path / "input.txt")}
