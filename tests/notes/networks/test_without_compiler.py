"""Optimizers without torch's compiler, in processes of their own: the same bits, and no second lost."""

import subprocess
import sys

import pytest

TRAINING = """
import sys
import torch
{first}
from notes.networks.extras import average_weights, follow_one_cycle, make_optimizer
torch.manual_seed(3)
network = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
optimizer = make_optimizer(network, "{name}", 0.1, weight_decay=0.01)
follow_one_cycle(optimizer, 0.1, steps=9)
average = average_weights(network, optimizer, 0.9)
inputs = torch.randn(8, 4)
for step in range(7):
    optimizer.zero_grad()
    network(inputs).square().mean().backward()
    optimizer.step()
    if step == 3:
        optimizer.load_state_dict(optimizer.state_dict())
assert torch.is_grad_enabled()
weights = [values.detach().numpy().tobytes().hex() for model in (network, average) for values in model.parameters()]
print(optimizer.param_groups[0]["lr"], *weights)
print("torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_the_bits_are_those_of_torchs_own_optimizer_and_its_compiler_is_not_imported(name):
    def trained(first):
        code = TRAINING.format(first=first, name=name)
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return ran.stdout.splitlines()

    bits, imported = trained("import notes.networks.determinism")
    expected, imported_by_torch = trained("")
    assert bits == expected
    assert (imported, imported_by_torch) == ("False", "True")


def test_a_class_that_is_in_use_already_keeps_its_hooks():
    code = """
import torch
weight = torch.nn.Parameter(torch.ones(1))
optimizer = torch.optim.SGD([weight], lr=0.5)
calls = []
optimizer.register_step_post_hook(lambda *_: calls.append(1))
import notes.networks.determinism
weight.square().sum().backward()
optimizer.step()
assert calls == [1] and weight.item() == 0.0, (calls, weight)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
