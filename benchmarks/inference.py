"""The champion as ONNX against the same network in torch and its counterpart in scikit-learn, by batch size."""

import time
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from harness import ROOT, figures, interleaved, own_process, ratio, require_files, spread, table
from notes.files import UserError

BATCH_SIZES = (1, 256, 10_000)
RUNTIMES = {"ONNX Runtime": "onnx", "torch": "torch", "scikit-learn": "scikit_learn"}
OPSET = 20
NETWORK = "models/mnist/mnist_mlp.safetensors"
ESTIMATOR = "models/mnist/mnist_mlp_classifier.skops"
TOLERANCE = 1e-3  # of the largest logit; an export of another network is wrong by whole units


def measure(quick: bool) -> dict[str, Any]:
    """Check that the export is the network, then measure all three at each batch size in turn."""
    require_files(NETWORK, ESTIMATOR, "data/mnist/development/train_images.npy")
    rounds, seconds = (3, 0.1) if quick else (7, 0.5)
    with ExitStack() as processes:
        calls = {name: processes.enter_context(own_process()) for name in RUNTIMES}
        agreement = calls["torch"](compare)
        if agreement["largest_relative_difference"] > TOLERANCE:
            raise UserError(f"the export of {NETWORK} does not compute what it does: report this.")
        speeds = {}
        for size in BATCH_SIZES:
            variants = {
                name: partial(call, images_per_second, RUNTIMES[name], size, seconds) for name, call in calls.items()
            }
            for name, call in calls.items():
                call(images_per_second, RUNTIMES[name], size, 0.05)
            speeds[str(size)] = interleaved(variants, rounds)
    return {"agreement": agreement, "speeds": speeds}


def report(result: dict[str, Any]) -> str:
    """Return the section of docs/performance.md."""
    rows, latencies = [], []
    for size, measured in result["speeds"].items():
        gains = [ratio(measured["ONNX Runtime"], measured[name]) for name in ("torch", "scikit-learn")]
        rows.append([f"{int(size):,}", *(spread(measured[name]) for name in RUNTIMES), *map(spread, gains)])
        milliseconds = [1e3 * int(size) / measured[name]["median"] for name in RUNTIMES]
        latencies.append([f"{int(size):,}", *(f"{figures(value)} ms" for value in milliseconds)])
    agreement = result["agreement"]
    same = agreement["different_predictions"] == 0
    digits = "every image the same digit" if same else f"{agreement['different_predictions']} images another digit"
    return f"""\
A network as ONNX in ONNX Runtime, the same in torch (`eval`, `inference_mode`), and
scikit-learn's `MLPClassifier` with the same hidden layers (`predict_proba`); one thread each, images in memory.
ONNX Runtime and torch give {digits} on {agreement["rows"]:,} training images, and logits that differ by at most
{agreement["largest_relative_difference"]:.1g} of the largest; the export has its batch normalisation folded into the
layers. scikit-learn's is a network of its own, without batch normalisation.

Images/s, and how many times those of the other two ONNX Runtime gives:

{table(["batch", *RUNTIMES, "gain over torch", "gain over scikit-learn"], rows)}

One batch takes (median):

{table(["batch", *RUNTIMES], latencies)}"""


def images_per_second(runtime: str, size: int, seconds: float) -> float:
    """Ask for one batch after another for this many seconds, and return images/s."""
    images = training_images()[:size]
    predict = predictor(runtime)
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds or not count:
        predict(images)
        count += 1
    return count * size / elapsed


def compare() -> dict[str, Any]:
    """Return how far apart the outputs of the export and of its source are, at several batch sizes."""
    from notes.exporting import compare_with_source
    from notes.networks.model_files import load_network

    parity = compare_with_source(load_network(ROOT / NETWORK), exported(), training_images())
    return dict(vars(parity))


@cache
def training_images() -> np.ndarray:
    """Return as many training images as the largest batch has; the test set stays sealed."""
    from notes.data.tasks import load_inputs

    return load_inputs("mnist", "train", ROOT)[: max(BATCH_SIZES)]


@cache
def exported() -> bytes:
    """Return the network as ONNX, from scaled pixels to logits; `models/exported` has it within one for bytes."""
    from notes.exporting import to_onnx
    from notes.networks.model_files import load_network

    return to_onnx(load_network(ROOT / NETWORK), training_images()[:2], opset=OPSET)


@cache
def predictor(runtime: str) -> Any:
    """Return the function that maps images (n, 784) to outputs (n, 10) in one of RUNTIMES' values."""
    if runtime == "onnx":
        from notes.exporting import open_session, run_onnx

        return partial(run_onnx, open_session(exported()))
    if runtime == "scikit_learn":
        from notes.baselines import load_estimator

        return load_estimator(ROOT / ESTIMATOR).predict_proba
    return torch_predictor(ROOT / NETWORK)


def torch_predictor(path: Path) -> Any:
    """Return the same for a network of this project, in torch."""
    import torch

    from notes.networks.determinism import make_deterministic
    from notes.networks.model_files import load_network

    make_deterministic(7)
    network = load_network(path)

    @torch.inference_mode()
    def predict(images: np.ndarray) -> np.ndarray:
        return np.asarray(network(torch.from_numpy(images)).numpy())

    return predict
