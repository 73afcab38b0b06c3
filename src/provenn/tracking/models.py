"""Logging model files as MLflow models in their native flavour, without pickle; and the registry."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from provenn.data.tasks import load_inputs
from provenn.files import digest

EXAMPLE_ROWS = 3  # at least two: a single row would freeze the exported batch dimension


def log_model_file(path: str, task: str) -> str:
    """Log a model file to the active run under its own name, with signature and input example; return its model id."""
    example = load_inputs(task, "validation")[:EXAMPLE_ROWS]
    log = {".safetensors": _log_torch, ".skops": _log_sklearn, ".onnx": _log_onnx}[Path(path).suffix]
    info = log(path, example)
    return str(info.model_id)


def register_champion(path: str, model_id: str, task: str) -> str:
    """Register an exported model as `provenn-<task>` with the alias `champion`; return its version.

    A version whose file has the same bytes is used again instead of adding another.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client, name, content = MlflowClient(), f"provenn-{task}", digest(path, "sha256")
    try:
        client.create_registered_model(name, description=f"The best network for {task}, chosen on validation, as ONNX.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    same = [found for found in client.search_model_versions(f"name = '{name}'") if found.tags.get("sha256") == content]
    if same:
        champion = same[0]
    else:
        champion = client.create_model_version(
            name, f"models:/{model_id}", model_id=model_id, tags={"sha256": content, "task": task}
        )
    client.set_registered_model_alias(name, "champion", champion.version)
    return str(champion.version)


def _log_torch(path: str, example: np.ndarray) -> Any:
    import mlflow.pytorch
    import torch
    from mlflow.models import infer_signature

    from provenn.models.modules import load_network

    network = load_network(path)
    with torch.no_grad():
        outputs = network(torch.from_numpy(example)).numpy()
    return mlflow.pytorch.log_model(
        network,
        name=Path(path).stem,
        signature=infer_signature(example, outputs),
        input_example=example,
        pip_requirements=_requirements("torch", "numpy"),
        serialization_format="pt2",
    )


def _log_sklearn(path: str, example: np.ndarray) -> Any:
    import mlflow.sklearn
    from mlflow.models import infer_signature

    from provenn.models.baselines import TRUSTED_TYPES, load_estimator, predict

    estimator = load_estimator(path)
    return mlflow.sklearn.log_model(
        estimator,
        name=Path(path).stem,
        signature=infer_signature(example, predict(estimator, example)),
        input_example=example,
        pip_requirements=_requirements("scikit-learn", "skops", "numpy"),
        serialization_format="skops",
        skops_trusted_types=TRUSTED_TYPES,
        pyfunc_predict_fn="predict_proba" if hasattr(estimator, "predict_proba") else "predict",
    )


def _log_onnx(path: str, example: np.ndarray) -> Any:
    import mlflow.onnx
    import onnx
    from mlflow.models import infer_signature

    from provenn.exporting import open_session, run_onnx

    return mlflow.onnx.log_model(
        onnx.load(path),
        name=Path(path).stem,
        signature=infer_signature(example, run_onnx(open_session(Path(path).read_bytes()), example)),
        input_example=example,
        pip_requirements=_requirements("onnx", "onnxruntime", "numpy"),
        save_as_external_data=False,
    )


def _requirements(*packages: str) -> list[str]:
    return [f"{package}=={version(package).partition('+')[0]}" for package in packages]
