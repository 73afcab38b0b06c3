"""The ONNX file computes what its source computes, and the check that says so can fail."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import notes
from notes.exporting import (
    Parity,
    compare_with_source,
    fold_batch_norm,
    open_session,
    require_parity,
    run_onnx,
    to_onnx,
)
from notes.files import UserError
from notes.networks.mlp import Mlp
from notes.networks.regression import LinearRegression

OPSET = 20


def classifier(outputs=3):
    """Return a network with every kind of layer and with statistics that training has moved."""
    generator = torch.Generator().manual_seed(0)
    options = {"dropout": 0.3, "batch_norm": True, "noise": 0.2}
    network = Mlp(4, [8, 6], outputs, activation="gelu", **options).initialise(generator)
    network.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)  # dropout draws from the global generator
        for _ in range(5):
            network(torch.randn(64, 4, generator=generator) * 3 + 1)
    with torch.no_grad():
        for layer in network.layers:
            if isinstance(layer, torch.nn.BatchNorm1d):
                layer.weight.uniform_(0.5, 2, generator=generator)
                layer.bias.uniform_(-1, 1, generator=generator)
    return network.eval()


def regression():
    network = LinearRegression(2, 3)
    network.powers.fit(torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    with torch.no_grad():
        network.linear.weight.copy_(torch.arange(1.0, 7.0)[None])
        network.linear.bias.fill_(0.1)
    return network.eval()


def rows(count, width, dtype):
    return np.random.default_rng(0).standard_normal((count, width)).astype(dtype)


@pytest.fixture(scope="module")
def exported():
    """Return a classifier, its ONNX bytes, and inputs; exported once, for an export takes a second."""
    network, inputs = classifier(), rows(600, 4, np.float32)
    return network, to_onnx(network, inputs[:2], opset=OPSET), inputs


def test_folding_batch_normalisation_changes_nothing_at_inference():
    network = classifier().double()
    inputs = torch.from_numpy(rows(200, 4, np.float64))
    folded = fold_batch_norm(network)
    assert [type(layer).__name__ for layer in folded] == ["Linear", "GELU", "Linear", "GELU", "Linear"]
    with torch.no_grad():
        np.testing.assert_allclose(folded(inputs), network(inputs), rtol=1e-12, atol=1e-13)


def test_folding_leaves_the_network_itself_as_it_was():
    network = classifier()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fold_batch_norm(network)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("batch", [1, 7, 256])
def test_a_classifier_takes_any_batch_size_and_gives_its_logits(exported, batch):
    network, model, inputs = exported
    with torch.no_grad():
        expected = network(torch.from_numpy(inputs[:batch])).numpy()
    found = run_onnx(open_session(model), inputs[:batch])
    assert found.shape == (batch, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_batch_is_the_only_dynamic_dimension(exported):
    graph = onnx.load_from_string(exported[1]).graph
    for value, width in ((graph.input[0], 4), (graph.output[0], 3)):
        batch, features = value.type.tensor_type.shape.dim
        assert batch.dim_param
        assert features.dim_value == width
    assert [value.name for value in (*graph.input, *graph.output)] == ["inputs", "outputs"]


def test_a_regression_is_exported_in_float64_to_the_last_digits():
    network, inputs = regression(), rows(300, 2, np.float64)
    model = to_onnx(network, inputs[:2], opset=OPSET)
    for batch in (1, 7, 256):
        found = run_onnx(open_session(model), inputs[:batch])
        assert found.dtype == np.float64
        with torch.no_grad():
            np.testing.assert_allclose(found, network(torch.from_numpy(inputs[:batch])), rtol=1e-12, atol=1e-12)
    require_parity(compare_with_source(network, model, inputs), 1e-10, "linear_module")


def test_a_single_logit_is_exported_too():
    network, inputs = classifier(outputs=1), rows(300, 4, np.float32)
    parity = compare_with_source(network, to_onnx(network, inputs[:2], opset=OPSET), inputs)
    require_parity(parity, 1e-5, "moons_mlp")


def test_the_file_has_neither_batch_normalisation_nor_dropout_and_the_opset_that_was_asked_for(exported):
    model = onnx.load_from_string(exported[1])
    assert not {"BatchNormalization", "Dropout"} & {node.op_type for node in model.graph.node}
    assert [opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")] == [OPSET]
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_the_file_holds_no_path_of_this_machine(exported):
    text = exported[1].decode("latin-1")
    places = {str(Path.cwd()), str(Path.home()), sys.prefix, str(Path(notes.__file__).parent), "site-packages"}
    assert not [place for place in places if place in text]
    assert not re.findall(r"(?:/[\w.-]+){2,}|\w+\.py\b|File \"", text)


def test_the_bytes_are_the_same_in_a_process_elsewhere(exported, tmp_path):
    code = """
import sys
from pathlib import Path
import test_exporting
network = test_exporting.classifier()
model = test_exporting.to_onnx(network, test_exporting.rows(2, 4, "float32"), opset=test_exporting.OPSET)
Path("elsewhere.onnx").write_bytes(model)
"""
    environment = os.environ | {
        "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, timeout=300)
    assert (tmp_path / "elsewhere.onnx").read_bytes() == exported[1]


def test_exporting_leaves_the_networks_predictions_as_they_were(exported):
    network, _, inputs = exported
    with torch.no_grad():
        np.testing.assert_array_equal(network(torch.from_numpy(inputs)), classifier()(torch.from_numpy(inputs)))


def test_a_faithful_export_passes_over_all_rows(exported):
    network, model, inputs = exported
    parity = compare_with_source(network, model, inputs)
    assert parity.rows == 600
    assert 0 < parity.largest_relative_difference <= 1e-5
    assert parity.different_predictions == 0
    require_parity(parity, 1e-5, "mnist_mlp")


def perturbed(amount):
    network = classifier()
    with torch.no_grad():
        network.layers[-1].bias[0] += amount
    return network


def test_a_source_that_was_changed_after_its_export_is_found_out(exported):
    _, model, inputs = exported
    slightly = compare_with_source(perturbed(1e-4), model, inputs)
    with torch.no_grad():
        largest = classifier()(torch.from_numpy(inputs)).abs().max().item()
    assert slightly.largest_relative_difference == pytest.approx(1e-4 / largest, rel=0.1)
    with pytest.raises(
        UserError, match=r"the exported mnist_mlp does not compute what its source does: 0 different .*"
    ):
        require_parity(slightly, 1e-5, "mnist_mlp")

    widely = compare_with_source(perturbed(3.0), model, inputs)
    with torch.no_grad():
        before, after = (network(torch.from_numpy(inputs)).argmax(dim=1) for network in (classifier(), perturbed(3.0)))
    assert widely.different_predictions == int((before != after).sum()) > 0
    with pytest.raises(UserError, match=f"{widely.different_predictions} different predictions"):
        require_parity(widely, 10.0, "mnist_mlp")


def test_parity_is_the_same_for_a_network_whose_logits_are_a_thousand_times_as_large():
    inputs = rows(300, 4, np.float32)
    plain, large = classifier(), classifier()
    with torch.no_grad():
        for values in (large.layers[-1].weight, large.layers[-1].bias):
            values *= 1024  # a power of two changes no rounding
    model = to_onnx(classifier(), inputs[:2], opset=OPSET)
    found = [
        compare_with_source(network, to_onnx(network, inputs[:2], opset=OPSET), inputs) for network in (plain, large)
    ]
    assert found[0] == found[1] == compare_with_source(plain, model, inputs)


def test_an_output_that_is_not_a_number_is_no_parity(exported):
    _, model, inputs = exported
    parity = compare_with_source(perturbed(float("nan")), model, inputs)
    with pytest.raises(UserError, match="outputs up to nan of the largest apart"):
        require_parity(parity, 1e9, "mnist_mlp")


@pytest.mark.parametrize(
    ("difference", "predictions", "passes"), [(1e-5, 0, True), (1.1e-5, 0, False), (0.0, 1, False), (np.nan, 0, False)]
)
def test_parity_needs_equal_predictions_and_outputs_within_the_tolerance(difference, predictions, passes):
    parity = Parity(100, difference, predictions)
    if passes:
        require_parity(parity, 1e-5, "model")
    else:
        with pytest.raises(UserError, match=r"tolerance allows 1e-05\.$"):
            require_parity(parity, 1e-5, "model")
