"""The model as it is used: raw inputs in, answers out, equal to what the pipeline itself computes."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from scipy.special import softmax
from torch import nn

from notes.exporting import open_session, run_onnx, to_onnx
from notes.files import write_json
from notes.networks.mlp import Mlp
from notes.networks.model_files import predict
from notes.served import Preparation, for_use, preparation

OPSET = 20
RANDOM = np.random.default_rng(0)


def network(inputs, outputs):
    return Mlp(inputs, [6], outputs).initialise(torch.Generator().manual_seed(0)).eval()


def served(made, inputs, prepare, *, classes=True, says=None):
    return for_use(to_onnx(made, inputs[:2], opset=OPSET), prepare, classes=classes, says=says or {})


def images(count):
    return RANDOM.integers(0, 256, (count, 28, 28)).astype(np.uint8)


def test_a_picture_goes_in_as_bytes_and_probabilities_come_out(tmp_path):
    folder = tmp_path / "data/mnist/test"
    folder.mkdir(parents=True)
    np.save(folder / "test_images.npy", images(20))
    prepare = preparation("mnist", "test", tmp_path)
    inputs = prepare.raw.reshape(20, 784).astype(np.float32) / 255
    made = network(784, 10)
    answers = run_onnx(open_session(served(made, inputs, prepare)), prepare.raw)
    np.testing.assert_allclose(answers, predict(made, inputs), atol=1e-6)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)


def test_floats_are_refused_where_bytes_are_meant_and_so_is_another_shape():
    prepare = Preparation(images(4), np.zeros((), np.float32), np.full((), 255, np.float32))
    session = open_session(served(network(784, 10), np.zeros((2, 784), np.float32), prepare))
    run_onnx(session, images(1))
    for wrong in (images(3) / np.float32(255), images(3).astype(np.float32), images(3)[:, :20], images(3)[0]):
        with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
            run_onnx(session, wrong)


def test_a_tables_row_goes_in_as_it_was_measured(tmp_path):
    folder = tmp_path / "data/wine/test"
    folder.mkdir(parents=True)
    measured = RANDOM.normal([10, -3, 500], [2, 0.1, 80], (30, 3))
    mean, scale = measured.mean(axis=0), measured.std(axis=0)
    rows = ["x1,x2,x3,y,split"]
    for number, row in enumerate(((measured - mean) / scale).tolist()):
        rows.append(",".join([*map(repr, row), str(number % 3), "test"]))
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    described = {"classes": ["a", "b", "c"], "mean": mean.tolist(), "scale": scale.tolist()}
    write_json(folder / "task.json", described)
    prepare = preparation("wine", "test", tmp_path)
    np.testing.assert_allclose(prepare.raw, measured, rtol=1e-5)
    made, inputs = network(3, 3), ((measured - mean) / scale).astype(np.float32)
    answers = run_onnx(open_session(served(made, inputs, prepare)), measured.astype(np.float32))
    np.testing.assert_allclose(answers, predict(made, inputs), atol=1e-5)


def test_one_logit_becomes_the_probabilities_of_two_classes():
    inputs = RANDOM.standard_normal((50, 4)).astype(np.float32)
    prepare, made = Preparation(inputs, np.zeros(()), np.ones(())), network(4, 1)
    assert not prepare.is_needed
    answers = run_onnx(open_session(served(made, inputs, prepare)), inputs)
    np.testing.assert_allclose(answers, predict(made, inputs), atol=1e-6)


@pytest.mark.parametrize("size", [1, 200])
def test_probabilities_are_those_of_scipy_also_of_large_logits(size):
    linear = nn.Linear(4, 3)
    with torch.no_grad():
        linear.weight.mul_(300)
    inputs = RANDOM.standard_normal((size, 4)).astype(np.float32)
    with torch.no_grad():
        expected = softmax(linear(torch.from_numpy(inputs)).double().numpy(), axis=1)
    model = to_onnx(Wrapped(linear).eval(), np.zeros((2, 4), np.float32), opset=OPSET)
    prepare = Preparation(inputs, np.zeros(()), np.ones(()))
    answers = run_onnx(open_session(for_use(model, prepare, classes=True, says={})), inputs)
    np.testing.assert_allclose(answers, expected, atol=2e-5)


class Wrapped(nn.Sequential):
    """A layer as a network."""


def test_a_regression_stays_as_it_is_and_the_file_says_what_it_is():
    inputs = RANDOM.standard_normal((10, 2))
    line = nn.Sequential(nn.Linear(2, 1, dtype=torch.float64), nn.Flatten(0)).eval()
    prepare = Preparation(inputs, np.zeros(()), np.ones(()))
    says = {"network": "linear_module", "classes": ["ä", "b"], "md5": "0" * 32}
    model = served(line, inputs, prepare, classes=False, says=says)
    with torch.no_grad():
        np.testing.assert_allclose(run_onnx(open_session(model), inputs), line(torch.from_numpy(inputs)), rtol=1e-12)
    found = {one.key: one.value for one in onnx.load_from_string(model).metadata_props}
    assert found | {"classes": json.loads(found["classes"])} == says
    assert open_session(model).get_modelmeta().custom_metadata_map == found
    assert model == served(line, inputs, prepare, classes=False, says=says), "the same bytes"
