"""dvc.yaml against the code: what a stage imports is declared, and what is sealed stays sealed."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from notes.params import load_network_params, load_params, load_record_params

ROOT = Path(__file__).parents[2]
RECORD, COMPARISON = (ROOT / "experiments" / name for name in ("record", "comparison"))
STAGES, RECORD_STAGES, COMPARISON_STAGES = (
    YAML(typ="safe").load((folder / "dvc.yaml").read_text())["stages"] for folder in (ROOT, RECORD, COMPARISON)
)
# What the statements of a stage's modules import at once; scikit-learn itself imports scipy, and pandas where it is.
HEAVY = {
    "dvc", "matplotlib", "mlflow", "onnx", "onnxscript", "pandas", "scipy", "sklearn", "skops", "statsmodels", "torch",
}  # fmt: skip
NEEDED: dict[str, set[str]] = {
    "build_book": set(),
    "check_params": set(),
    "compare_seeds": {"pandas", "scipy"},
    "compute_widget": {"torch"},
    "download_libraries": set(),
    "download_mnist": set(),
    "draw_evaluation": {"matplotlib"},
    "draw_studies": {"matplotlib"},
    "evaluate": set(),
    "evaluate_seeds": {"torch"},
    "export_model": {"onnx", "torch"},
    "generate_synthetic": {"pandas"},
    "prepare_mnist": set(),
    "prepare_table": {"pandas"},
    "study": {"torch"},
    "train_baseline": {"pandas", "scipy", "sklearn"},
    "train_mlp": {"torch"},
    "train_regression": {"torch"},
}
# Modules by name: what a stage loads by `importlib`, no statement says.
LOADED = {
    "study": [f"notes.studies.{name}" for name in STAGES["study"]["foreach"]],
    "draw_studies": [f"notes.figures.studies.{name}" for name in STAGES["study"]["foreach"]],
}


def definition(stage: str) -> dict[str, Any]:
    return STAGES[stage].get("do", STAGES[stage])


def imported(file: Path) -> Iterator[str]:
    """Yield every module of `notes` that a file imports, wherever its statements stand."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("notes."))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "notes":
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def files_of(stage: str) -> set[Path]:
    """Return the files that a stage runs, however far away; a package's bare docstring runs nothing."""
    start, script = ROOT / "src" / "stage.py", ROOT / "stages" / f"{stage}.py"
    found, waiting = {start}, [*imported(start), *imported(script), *LOADED.get(stage, [])]
    while waiting:
        module = waiting.pop()
        place = ROOT / "src" / module.replace(".", "/")
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file() and path not in found:
                found.add(path)
                waiting += [*imported(path), module.rpartition(".")[0]]
    return {path.relative_to(ROOT) for path in found if len(ast.parse(path.read_text()).body) > 1}


def is_below(path: Path, folders: set[str]) -> bool:
    return any(str(parent) in folders for parent in (path, *path.parents))


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_every_import_of_a_stage_lies_below_a_declared_dependency(stage: str) -> None:
    declared = set(definition(stage)["deps"])
    if stage == "study":
        declared |= {f"src/notes/studies/{name}.py" for name in STAGES[stage]["foreach"]}
    assert {str(path) for path in files_of(stage) if not is_below(path, declared)} == set()
    assert f"stages/{stage}.py" in declared


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_declares_no_source_that_it_does_not_import(stage: str) -> None:
    sources = {dep for dep in definition(stage)["deps"] if dep.startswith("src/") and "${" not in dep}
    assert {dep for dep in sources if not any(is_below(path, {dep}) for path in files_of(stage))} == set()


@pytest.mark.parametrize("stage", sorted(stage for stage in STAGES if not stage.startswith("draw_")))
def test_pictures_and_the_schema_rerun_drawing_and_the_check_alone(stage: str) -> None:
    sources = set(definition(stage)["deps"])
    assert not is_below(Path("src/notes/figures/canvas.py"), sources)
    assert is_below(Path("src/notes/params/schema.py"), sources) == (stage == "check_params")
    assert is_below(Path("src/notes/evaluation/comparison.py"), sources) == (stage == "evaluate")


def test_a_study_depends_on_its_own_module_and_on_no_other_study() -> None:
    deps = [dep for dep in definition("study")["deps"] if dep.startswith("src/notes/studies")]
    assert deps == ["src/notes/studies/${key}.py", "src/notes/studies/shared"]


def test_every_study_has_a_module_a_figure_and_a_section_of_its_own_name() -> None:
    for folder in ("studies", "figures/studies"):
        modules = {path.stem for path in (ROOT / "src" / "notes" / folder).glob("*.py")} - {"__init__"}
        assert modules == set(STAGES["study"]["foreach"])
    params = YAML(typ="safe").load((ROOT / "params.yaml").read_text())["study"]
    assert set(params) - {"seed", "seeds"} == set(STAGES["study"]["foreach"])


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_has_a_script_a_section_and_a_description_of_its_own_name(stage: str) -> None:
    assert (ROOT / "stages" / f"{stage}.py").is_file()
    assert definition(stage)["desc"].endswith(".")
    assert all(param.split(".")[0] == stage for param in definition(stage).get("params", []))
    # The check must not run again, and with it everything, because the mode was changed.
    mode = "native" if stage == "check_params" else "${numeric}"
    assert definition(stage)["cmd"].startswith(f"python src/stage.py {mode} stages/{stage}.py")


def test_test_data_is_read_by_evaluation_its_drawing_and_export_alone() -> None:
    readers = {stage for stage in STAGES for dep in definition(stage)["deps"] if dep.endswith("/test")}
    assert readers == {"evaluate", "draw_evaluation", "export_model"}


def test_what_mlflow_is_told_of_a_stage_are_its_own_inputs_and_outputs() -> None:
    stages = [stage for stage in Repo(str(ROOT)).index.stages if stage.meta]
    models = {path for stage in stages for path in stage.meta["provenn"].get("models", {})}
    data = {out.def_path for stage in stages for out in stage.outs if out.def_path.startswith("data/")}
    for stage in stages:
        meta = stage.meta["provenn"]
        outs, deps = ({Path(one.fspath).relative_to(ROOT).as_posix() for one in of} for of in (stage.outs, stage.deps))
        named = {*meta.get("models", ()), *meta.get("artifacts", ()), *meta.get("scores", ())}
        assert named | {path for path in [meta.get("description")] if path} <= outs
        # All studies share one list; MLflow is told of those that the study reads.
        assert set(meta.get("datasets", ())) <= (data if stage.name.startswith("study@") else outs | deps)
        for folder in meta.get("scores", {}).values():
            assert any(path.startswith(f"{folder}/") for path in models)


@pytest.mark.parametrize("stage", sorted(RECORD_STAGES))
def test_a_stage_of_the_record_is_the_same_stage_with_the_same_sources(stage: str) -> None:
    record = RECORD_STAGES[stage]
    assert record["cmd"].startswith(f"python src/stage.py native stages/{stage}.py")
    shared = ("src", "stages", "requirements.lock")
    assert all((RECORD / name).resolve() == ROOT / name for name in shared)
    sources = {dep for dep in record["deps"] if dep.startswith(shared)}
    if stage in STAGES:
        assert sources == {dep for dep in definition(stage)["deps"] if dep.startswith(shared)}
    else:
        assert f"stages/{stage}.py" in sources
        assert {str(path) for path in files_of(stage) if not is_below(path, sources)} == set()


def test_the_record_reads_test_data_in_its_evaluation_alone() -> None:
    readers = {stage for stage, content in RECORD_STAGES.items() if "data/mnist/test" in content["deps"]}
    assert readers == {"evaluate_seeds"}


def test_the_record_trains_and_judges_the_same_networks_and_seeds() -> None:
    trained, judged = (RECORD_STAGES[stage]["matrix"] for stage in ("train_mlp", "evaluate_seeds"))
    assert trained["network"] == judged["network"]
    models = [f"models/mnist/${{item.network}}-{seed}.safetensors" for seed in trained["seed"]]
    assert [dep for dep in RECORD_STAGES["evaluate_seeds"]["deps"] if dep.startswith("models/")] == models
    assert RECORD_STAGES["evaluate_seeds"]["meta"]["provenn"]["children"] == models
    networks = load_record_params(RECORD / "params.yaml").train_mlp
    assert list(networks) == trained["network"]
    assert {network.train_on for network in networks.values()} == {"train_and_validation"}


@pytest.mark.parametrize("stage", sorted(set(COMPARISON_STAGES) - {"check_params"}))
def test_a_stage_of_the_comparison_runs_the_same_sources_in_the_folder_of_its_data_set(stage: str) -> None:
    ours = COMPARISON_STAGES[stage]
    assert ours["wdir"] == "${item.dataset}"
    assert ours["cmd"].startswith(f"python ../src/stage.py portable ../stages/{stage}.py")
    for folder in ours["matrix"]["dataset"]:
        assert (COMPARISON / folder / "params.yaml").resolve() == COMPARISON / "params.yaml"
        assert all(
            (COMPARISON / folder / "..").joinpath(name).resolve() == ROOT / name
            for name in ("src", "stages", "requirements.lock")
        )
    sources = {dep.removeprefix("../") for dep in ours["deps"] if dep.startswith("../") and "results" not in dep}
    if stage in STAGES:
        assert sources == {
            dep for dep in definition(stage)["deps"] if dep.startswith(("src", "stages", "requirements.lock"))
        }
    else:
        assert {str(path) for path in files_of(stage) if not is_below(path, sources)} == set()


def test_the_comparison_reads_test_data_where_it_compares_alone() -> None:
    readers = {stage for stage, content in COMPARISON_STAGES.items() if "data/mnist/test" in content["deps"]}
    assert readers == {"compare_seeds"}


def test_the_comparison_trains_what_the_main_pipeline_trains_with_as_many_seeds_on_either_side() -> None:
    ours, main = load_network_params(COMPARISON / "params.yaml"), load_params(ROOT / "params.yaml")
    assert all(network == main.train_mlp[name] for name, network in ours.train_mlp.items())
    assert all(baseline == main.train_baseline[name] for name, baseline in ours.train_baseline.items())
    assert ours.prepare_mnist == main.prepare_mnist
    pairs = ours.compare_seeds.counterparts
    assert pairs == {name: main.evaluate.tasks["mnist"].counterparts[name] for name in pairs}
    networks, baselines = (COMPARISON_STAGES[stage]["matrix"] for stage in ("train_mlp", "train_baseline"))
    assert networks["network"] == list(ours.train_mlp) == list(pairs)
    assert networks["seed"] == baselines["seed"]
    assert len(set(networks["seed"])) >= 5


def test_every_stage_says_which_heavy_packages_it_needs() -> None:
    assert set(NEEDED) == {path.stem for path in (ROOT / "stages").glob("*.py")}


@pytest.mark.parametrize("stage", sorted(NEEDED))
def test_a_stage_imports_no_heavy_package_that_its_work_does_not_need(stage: str) -> None:
    path = [str(ROOT / "src"), str(ROOT / "stages")]
    code = f"import json, sys; sys.path[:0] = {path}; import {stage}; print(json.dumps(list(sys.modules)))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(json.loads(finished.stdout)) & HEAVY <= NEEDED[stage]
