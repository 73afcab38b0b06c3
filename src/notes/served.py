"""The exported model as it is used: what makes its inputs, and probabilities from its logits, inside the ONNX graph.

So a picture goes in as the bytes that it is, and a table's row as it was measured; floats between 0 and 1 are refused
where bytes are meant, instead of being taken for a dark picture.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from notes.data.tasks import TASK_FILE, data_files, load_inputs
from notes.files import read_json

IMAGE = (28, 28)


@dataclass(frozen=True)
class Preparation:
    """What makes of inputs as users have them, `raw` (n, …), those that a network was trained on: (raw - mean) / scale.

    `raw` are bytes (n, 28, 28) of pictures, or numbers (n, d); mean and scale are numbers, or one a column.
    """

    raw: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    @property
    def is_needed(self) -> bool:
        """Whether it changes anything."""
        return self.raw.dtype == np.uint8 or bool(np.any(self.mean != 0) or np.any(self.scale != 1))


def preparation(task: str, split: str, root: Path = Path()) -> Preparation:
    """Return the inputs of a split of a task as they were before they were prepared, and how they were."""
    if task == "mnist":
        images = np.load(root / data_files(task, split, root)[0])
        return Preparation(images, np.zeros((), np.float32), np.full((), 255, np.float32))
    inputs = load_inputs(task, split, root)
    file = root / "data" / task / "test" / TASK_FILE
    described = read_json(file) if file.is_file() else {"mean": 0.0, "scale": 1.0}
    mean, scale = (np.asarray(described[name], inputs.dtype) for name in ("mean", "scale"))
    return Preparation(inputs * scale + mean, mean, scale)


def for_use(model: bytes, prepare: Preparation, *, classes: bool, says: Mapping[str, object]) -> bytes:
    """Return an ONNX model from raw inputs to values (n,), or with `classes` to probabilities (n, classes).

    `model` maps `inputs` (n, d) to `outputs`: values, logits, or the one logit of class 1 of two. What it `says` of
    itself becomes its metadata, texts as they are and the rest as JSON.
    """
    made = onnx.load_from_string(model)
    graph = made.graph
    before = _before(graph, prepare) if prepare.is_needed else []
    after = _after(graph) if classes else []
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    for name, value in sorted(says.items()):
        made.metadata_props.add(key=name, value=value if isinstance(value, str) else json.dumps(value))
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString(deterministic=True))


def _before(graph: onnx.GraphProto, prepare: Preparation) -> list[onnx.NodeProto]:
    """Return the nodes that make `inputs`; the graph's own input becomes the raw one."""
    (given,) = graph.input
    kind, batch = given.type.tensor_type.elem_type, given.type.tensor_type.shape.dim[0].dim_param
    _constants(graph, mean=prepare.mean, scale=prepare.scale)
    name, nodes = "raw", []
    if prepare.raw.dtype == np.uint8:
        _constants(graph, flat=np.array([-1, prepare.raw[0].size], np.int64))
        nodes = [
            helper.make_node("Cast", [name], ["numbers"], to=kind),
            helper.make_node("Reshape", ["numbers", "flat"], ["row"]),
        ]
        raw = helper.make_tensor_value_info("raw", TensorProto.UINT8, [batch, *prepare.raw.shape[1:]])
        name = "row"
    else:
        raw = helper.make_tensor_value_info("raw", kind, [batch, prepare.raw.shape[1]])
    nodes += [
        helper.make_node("Sub", [name, "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], [given.name]),
    ]
    graph.input.remove(given)
    graph.input.append(raw)
    return nodes


def _after(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the nodes that make `probabilities`, the graph's output from now on."""
    (logits,) = graph.output
    batch, width = (dim for dim in logits.type.tensor_type.shape.dim)
    kind = logits.type.tensor_type.elem_type
    graph.output.remove(logits)
    outputs = max(width.dim_value, 2)
    graph.output.append(helper.make_tensor_value_info("probabilities", kind, [batch.dim_param, outputs]))
    if width.dim_value > 1:
        return [helper.make_node("Softmax", [logits.name], ["probabilities"], axis=1)]
    _constants(graph, one=np.ones((), helper.tensor_dtype_to_np_dtype(kind)))
    return [
        helper.make_node("Sigmoid", [logits.name], ["of_class_1"]),
        helper.make_node("Sub", ["one", "of_class_1"], ["of_class_0"]),
        helper.make_node("Concat", ["of_class_0", "of_class_1"], ["probabilities"], axis=1),
    ]


def _constants(graph: onnx.GraphProto, **values: np.ndarray) -> None:
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items())
