"""The champion of the digits, to be asked in the reader's browser, and pictures to ask it about.

Section 8 of the notes: grey pictures, a softmax over the classes, evaluation. The reader's strokes are brought to the
form that the network was trained on as the MNIST set was made (LeCun, Cortes, Burges, The MNIST database: a box of
20 × 20 that keeps the proportions, its centre of mass in the middle of 28 × 28); that is done in the page.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from matplotlib.figure import Figure
from onnx import helper
from onnx.reference import ReferenceEvaluator
from PIL import Image

from notes.book.pictures import png
from notes.data.tasks import load_split
from notes.figures.canvas import BLUE, PALE, VERMILION, canvas, styled
from notes.files import UserError

TASK = "mnist"
FAMILIAR = 60  # training pictures of each class, among which the most similar are looked for
MISTAKES = 12


def compute(root: Path) -> dict[str, Any]:
    """Return `digits.onnx`, `digits.png` (a picture a row, 784 bytes), what data.json says of both, and the picture.

    The rows of `digits.png`: the familiar training pictures class by class, then the mistakes.
    """
    exported = onnx.load(root / "models/exported" / f"{TASK}.onnx")
    model, layers = with_activations(exported)
    says = {entry.key: entry.value for entry in exported.metadata_props}
    train, validation = (load_split(TASK, split, root) for split in ("train", "validation"))
    images, labels = as_bytes(validation.inputs), validation.targets
    probabilities = answers(exported, images.reshape(-1, 28, 28))
    wrong = worst_mistakes(probabilities, labels, MISTAKES)
    familiar = spread_rows(train.targets, FAMILIAR)
    pixels = np.concatenate([as_bytes(train.inputs[familiar]), images[wrong]])
    mistakes = [
        {
            "row": int(row),
            "label": int(labels[row]),
            "said": int(probabilities[row].argmax()),
            "loss": round(float(-np.log(probabilities[row, labels[row]])), 2),
        }
        for row in wrong
    ]
    return {
        "data.json": {
            "model": {name: says[name] for name in ("task", "data", "network", "md5")},
            "classes": json.loads(says["classes"]),
            "layers": layers,
            "familiar": train.targets[familiar].tolist(),
            "mistakes": mistakes,
            "validation": {"pictures": len(labels), "wrong": int((probabilities.argmax(axis=1) != labels).sum())},
        },
        "digits.onnx": model,
        "digits.png": as_png(pixels),
        "picture.png": png(draw(images[wrong[:3]], probabilities[wrong[:3]], labels[wrong[:3]])),
    }


def with_activations(model: onnx.ModelProto) -> tuple[bytes, list[dict[str, Any]]]:
    """Return the model with the outputs of its hidden layers as further outputs, and their names and numbers of units.

    They are what goes into each layer but the first; nothing that the graph computes is changed.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    weights = {tensor.name: tensor.dims for tensor in graph.initializer}
    (given,) = graph.input
    batch = given.type.tensor_type.shape.dim[0].dim_param
    layers: list[dict[str, Any]] = []
    for node in [node for node in graph.node if node.op_type == "Gemm"][1:]:
        name, units = node.input[0], weights[node.input[1]][1]
        layers.append({"name": name, "units": units})
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [batch, units]))
    if not layers:
        raise UserError("the exported network of mnist has no hidden layer to show: export one that has.")
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString(deterministic=True)), layers


def answers(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    """Return a model's probabilities (n, classes) for pictures (n, 28, 28), by ONNX's own definition of its operators.

    That is NumPy, which gives the same bits on every processor in the portable mode; ONNX Runtime does not.
    """
    (probabilities,) = ReferenceEvaluator(model).run(["probabilities"], {"raw": images})
    return np.asarray(probabilities, np.float64)


def worst_mistakes(probabilities: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return the rows of the wrong answers with the highest cross-entropy, the worst first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    losses = -np.log(probabilities[wrong, labels[wrong]])
    return np.asarray(wrong[np.argsort(-losses, kind="stable")[:count]])


def spread_rows(labels: np.ndarray, count: int) -> np.ndarray:
    """Return `count` rows of each class, class by class, evenly spread over all rows of that class."""
    rows = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.concatenate([of[np.linspace(0, len(of) - 1, count).astype(int)] for of in rows])


def as_bytes(inputs: np.ndarray) -> np.ndarray:
    """Return the pixels as they were before they were scaled to [0, 1]."""
    pixels: np.ndarray = np.rint(inputs * 255).astype(np.uint8)
    return pixels


def as_png(pixels: np.ndarray) -> bytes:
    """Return bytes (n, 784) as a grey PNG without loss, a row a picture: a third of their size."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()


@styled
def draw(pixels: np.ndarray, probabilities: np.ndarray, labels: np.ndarray) -> Figure:
    """Show pictures (n, 784) with bars of the probabilities (n, 10) beside each, the true class marked."""
    title = "What the network saw, and what it said: its worst mistakes of the validation set"
    figure, axes = canvas(title, columns=2 * len(pixels), width=8, height=2.6)
    for index, (image, answer, label) in enumerate(zip(pixels, probabilities, labels, strict=True)):
        left, right = axes[2 * index : 2 * index + 2]
        left.imshow(image.reshape(28, 28), cmap="gray")
        left.axis("off")
        left.set_title(f"truly {label}")
        right.barh(range(10), answer, color=[VERMILION if digit == label else BLUE for digit in range(10)])
        right.set(yticks=range(10), xlim=(0, 1), xticks=[0, 1], xlabel="probability", ylim=(9.6, -0.6))
        right.set_title(f"said {answer.argmax()}")
        right.grid(color=PALE)
    return figure
