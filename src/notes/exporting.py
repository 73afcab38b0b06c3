"""One-file ONNX of a network, and the check that it computes the same."""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from notes.files import UserError
from notes.networks.extras import GaussianNoise
from notes.networks.mlp import Mlp
from notes.networks.model_files import Network

BATCH_SIZES = (1, 7, 256)


@dataclass(frozen=True)
class Parity:
    """How far an exported model is from its source.

    The largest difference of an output, as a share of the largest output (in float32 rounding is relative, and a
    network's logits are as large as its training made them), and the number of differing predictions.
    """

    rows: int
    largest_relative_difference: float
    different_predictions: int

    def with_answers(self, expected: np.ndarray, found: np.ndarray) -> "Parity":
        """Return the worse of this and of how far values (n,) or probabilities (n, classes) are from the expected."""
        apart = float(np.abs(expected - found).max() / (np.abs(expected).max() or 1.0))
        # numpy's maximum is NaN where a difference is; Python's max would pass over it.
        worst = float(np.maximum(self.largest_relative_difference, apart))
        different = int((_decide(expected) != _decide(found)).sum())
        return Parity(self.rows, worst, max(self.different_predictions, different))


def to_onnx(network: Network, example: np.ndarray, *, opset: int) -> bytes:
    """Return `network` as a single ONNX file with a dynamic batch: `inputs` (batch, d) → `outputs`, a network's logits.

    Batch normalisation is folded into the linear layers and dropout left out, as at inference. The file carries
    neither source paths nor training code.
    """
    inference = fold_batch_norm(network) if isinstance(network, Mlp) else network
    program = torch.onnx.export(
        inference.eval(),
        (torch.from_numpy(example),),
        input_names=["inputs"],
        output_names=["outputs"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=opset,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def fold_batch_norm(network: Mlp) -> nn.Sequential:
    """Return the layers of `network` at inference: each BatchNorm inside its Linear, no Dropout.

    With s = weight / √(running variance + ε) of the BatchNorm: W' = W * s and b' = bias - running mean * s, computed in
    float64 (Jacob et al. 2018, section 3.2); the Linear itself has no bias.
    """
    layers: list[nn.Module] = []
    for layer in network.layers:
        if isinstance(layer, nn.BatchNorm1d):
            linear = layers.pop()
            assert isinstance(linear, nn.Linear)
            folded = nn.Linear(linear.in_features, linear.out_features, dtype=linear.weight.dtype)
            assert layer.running_var is not None
            assert layer.running_mean is not None
            with torch.no_grad():
                scale = layer.weight.double() * (layer.running_var.double() + layer.eps).rsqrt()
                folded.weight.copy_(linear.weight.double() * scale[:, None])
                folded.bias.copy_(layer.bias.double() - layer.running_mean.double() * scale)
            layers.append(folded)
        elif not isinstance(layer, nn.Dropout | GaussianNoise):
            layers.append(layer)
    return nn.Sequential(*layers)


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """Return an ONNX Runtime session for a model's bytes, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_onnx(session: onnxruntime.InferenceSession, inputs: np.ndarray) -> np.ndarray:
    """Return the outputs for a batch of inputs, the model's only ones."""
    (given,) = session.get_inputs()
    return np.asarray(session.run(None, {given.name: inputs})[0])


@torch.no_grad()
def compare_with_source(network: Network, model: bytes, inputs: np.ndarray) -> Parity:
    """Run network and ONNX model over all inputs, at each of the batch sizes, and return the worst of what differs."""
    network.eval()
    session = open_session(model)
    differences, different_predictions = [], []
    for size in BATCH_SIZES:
        batches = np.array_split(inputs, range(size, len(inputs), size))
        source = np.concatenate([network(torch.from_numpy(batch)).numpy() for batch in batches])
        exported = np.concatenate([run_onnx(session, batch) for batch in batches])
        differences.append(np.abs(source - exported).max() / (np.abs(source).max() or 1.0))
        different_predictions.append(int((_decide(source) != _decide(exported)).sum()))
    # numpy's maximum is NaN where a difference is; Python's max would pass over it.
    return Parity(len(inputs), float(np.max(differences)), max(different_predictions))


def require_parity(parity: Parity, tolerance: float, model: str) -> None:
    """Raise UserError unless every prediction is the same and no output is off by more than `tolerance`, relatively."""
    if parity.different_predictions or not parity.largest_relative_difference <= tolerance:
        raise UserError(
            f"the exported {model} does not compute what its source does: {parity.different_predictions} different "
            f"predictions, outputs up to {parity.largest_relative_difference:.2g} of the largest apart: "
            f"export_model.tolerance allows {tolerance:g}."
        )


def _decide(outputs: np.ndarray) -> np.ndarray:
    if outputs.ndim == 1:
        return np.zeros(len(outputs))  # a regression has no classes; its outputs are compared as numbers
    return outputs[:, 0] > 0 if outputs.shape[1] == 1 else outputs.argmax(axis=1)
