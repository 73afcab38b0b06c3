"""The numeric mode: what it sets, where it can hold its promise, and that the portable products are the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from notes import numeric
from notes.networks import linear

ROOT = Path(__file__).parents[2]
PORTABLE = numeric.numeric_platform("portable").startswith("portable")


def stage(folder, mode, code):
    """Run a script of one line in a mode, as a stage, and return what it prints."""
    (folder / "script.py").write_text(code)
    command = [sys.executable, str(ROOT / "src/stage.py"), mode, "script.py", "argument"]
    environment = {name: value for name, value in os.environ.items() if name not in numeric.PORTABLE}
    finished = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    return finished.stdout.strip() or finished.stderr.strip()


@pytest.mark.parametrize("lacking", ["avx2", "fma"])
def test_a_processor_without_the_instructions_is_not_called_portable(monkeypatch, lacking):
    monkeypatch.setattr(numeric, "instruction_sets", lambda: {"avx2", "fma", "avx512f"} - {lacking})
    assert "portable" not in numeric.numeric_platform("portable")


def test_the_native_platform_names_the_vendor_and_the_widest_instructions(monkeypatch):
    monkeypatch.setattr(numeric, "instruction_sets", lambda: {"avx2", "fma", "avx512f"})
    assert numeric.numeric_platform("native").endswith(" AVX512F")


def test_a_stage_gets_its_arguments_and_its_folder_for_modules(tmp_path):
    printed = stage(tmp_path, "native", "import notes.numeric, sys; print(sys.argv, __name__)")
    assert printed == "['script.py', 'argument'] __main__"


def test_an_unknown_mode_is_one_sentence(tmp_path):
    assert stage(tmp_path, "fastest", "print(1)").startswith("error: usage: python src/stage.py {portable,native}")


@pytest.mark.skipif(not PORTABLE, reason="this processor has no AVX2")
def test_the_libraries_of_a_portable_stage_are_held_to_avx2(tmp_path):
    code = """
import numpy, torch
from threadpoolctl import threadpool_info
from numpy._core._multiarray_umath import __cpu_dispatch__ as dispatched, __cpu_features__ as features
blas = {pool["architecture"] for pool in threadpool_info() if pool["internal_api"] == "openblas"}
print(blas, torch.backends.cpu.get_cpu_capability(), [name for name in dispatched if features[name]])
"""
    assert stage(tmp_path, "portable", code) == "{'Haswell'} AVX2 ['X86_V3']"


@pytest.mark.parametrize("bias", [True, False])
def test_the_portable_products_and_their_gradients_are_torchs(monkeypatch, bias):
    torch.manual_seed(0)
    layer = linear.Linear(7, 5, bias=bias, dtype=torch.float64)
    results = []
    for portable in (False, True):
        monkeypatch.setattr(linear, "PORTABLE", portable)
        inputs = torch.linspace(-1, 1, 21, dtype=torch.float64).reshape(3, 7).requires_grad_()
        layer.zero_grad()
        outputs = layer(inputs)
        outputs.square().sum().backward()
        results.append([outputs, inputs.grad, *(parameter.grad.clone() for parameter in layer.parameters())])
    for torchs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=1e-12)


def test_the_portable_products_pass_finite_differences(monkeypatch):
    monkeypatch.setattr(linear, "PORTABLE", True)
    layer = linear.Linear(3, 2, dtype=torch.float64)
    inputs = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    parameters = dict(layer.named_parameters())

    def outputs(inputs, *values):
        return torch.func.functional_call(layer, dict(zip(parameters, values, strict=True)), (inputs,))

    assert torch.autograd.gradcheck(outputs, (inputs, *parameters.values()))


def test_a_portable_layer_is_loaded_and_exported_as_any_linear(monkeypatch):
    monkeypatch.setattr(linear, "PORTABLE", True)
    layer, plain = linear.Linear(3, 2), nn.Linear(3, 2)
    layer.load_state_dict(plain.state_dict())
    program = torch.export.export(layer, (torch.ones(2, 3),))
    torch.testing.assert_close(program.module()(torch.ones(2, 3)), plain(torch.ones(2, 3)))
