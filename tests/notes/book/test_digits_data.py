"""What the digits' widget is given: a model that answers as the export does, and rows chosen by rule."""

import io

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from notes.book.digits import answers, as_bytes, as_png, spread_rows, with_activations, worst_mistakes
from notes.exporting import open_session, to_onnx
from notes.files import UserError
from notes.networks.mlp import Mlp
from notes.served import Preparation, for_use

PICTURES = np.random.default_rng(5).integers(0, 256, (20, 28, 28), dtype=np.uint8)


def exported(hidden_sizes: list[int]) -> tuple[Mlp, bytes]:
    network = Mlp(784, hidden_sizes, 10).initialise(torch.Generator().manual_seed(3)).eval()
    model = to_onnx(network, np.zeros((2, 784), np.float32), opset=20)
    prepare = Preparation(PICTURES, np.zeros((), np.float32), np.full((), 255, np.float32))
    return network, for_use(model, prepare, classes=True, says={"network": "small"})


def test_the_probabilities_are_the_exports_bit_for_bit_and_the_activations_are_the_networks() -> None:
    network, model = exported([12, 8])
    made, layers = with_activations(onnx.load_from_string(model))
    assert [layer["units"] for layer in layers] == [12, 8]
    session = open_session(made)
    outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"raw": PICTURES}), strict=True))
    expected = open_session(model).run(None, {"raw": PICTURES})[0]
    assert outputs["probabilities"].tobytes() == expected.tobytes()

    inputs = torch.from_numpy(PICTURES.reshape(20, 784) / np.float32(255))
    with torch.no_grad():
        first = network.layers[1](network.layers[0](inputs))
        second = network.layers[3](network.layers[2](first))
    for layer, values in zip(layers, (first, second), strict=True):
        np.testing.assert_allclose(outputs[layer["name"]], values.numpy(), atol=1e-5)
    assert {entry.key: entry.value for entry in onnx.load_from_string(made).metadata_props} == {"network": "small"}


def test_the_answers_are_those_of_onnx_runtime() -> None:
    _, model = exported([12, 8])
    expected = open_session(model).run(None, {"raw": PICTURES})[0]
    np.testing.assert_allclose(answers(onnx.load_from_string(model), PICTURES), expected, atol=1e-6)


def test_a_network_without_hidden_layers_is_refused() -> None:
    with pytest.raises(UserError, match="no hidden layer"):
        with_activations(onnx.load_from_string(exported([])[1]))


def test_the_worst_mistakes_are_the_surest_of_the_wrong_answers() -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.01, 0.99]])
    assert worst_mistakes(probabilities, np.array([1, 0, 1, 0]), 2).tolist() == [3, 0]
    assert worst_mistakes(probabilities, np.array([1, 0, 1, 0]), 9).tolist() == [3, 0, 1]


def test_familiar_rows_are_as_many_of_each_class_without_repetition() -> None:
    labels = np.random.default_rng(0).integers(0, 10, 3000)
    rows = spread_rows(labels, 50)
    assert len(set(rows.tolist())) == 500
    assert labels[rows].tolist() == np.repeat(np.arange(10), 50).tolist()


def test_the_png_holds_every_byte() -> None:
    rows = PICTURES.reshape(20, 784)
    np.testing.assert_array_equal(as_bytes(rows / np.float32(255)), rows)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(as_png(rows)))), rows)
