"""A stage imports the heavy packages that its work needs, and no others: each costs every one of its runs a second."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {
    "dvc",
    "matplotlib",
    "mlflow",
    "onnx",
    "onnxscript",
    "pandas",
    "scipy",
    "sklearn",
    "skops",
    "statsmodels",
    "torch",
}
# scikit-learn itself imports scipy, and pandas where it is installed.
NEEDED = {
    "check_params": set(),
    "download_mnist": set(),
    "generate_synthetic": {"pandas"},
    "prepare_mnist": set(),
    "train_regression": {"matplotlib", "torch"},
    "train_mlp": {"matplotlib", "torch"},
    "train_baseline": {"pandas", "scipy", "sklearn"},
    "evaluate": {"matplotlib"},
    "evaluate_seeds": {"matplotlib", "torch"},
    "export_model": {"onnx", "torch"},
    "study": {"matplotlib", "torch"},
}


def test_every_stage_says_what_it_needs() -> None:
    assert set(NEEDED) == {path.stem for path in (ROOT / "stages").glob("*.py")}


@pytest.mark.parametrize("stage", sorted(NEEDED))
def test_a_stage_imports_no_heavy_package_that_its_work_does_not_need(stage: str) -> None:
    path = [str(ROOT / "src"), str(ROOT / "stages")]
    code = f"import json, sys; sys.path[:0] = {path}; import {stage}; print(json.dumps(list(sys.modules)))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(json.loads(finished.stdout)) & HEAVY <= NEEDED[stage]
