"""Logging model files as MLflow models in their native flavour, without pickle; and the registry."""

from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provenn.data.tasks import load_inputs
from provenn.tracking.entry import StageEntry

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXAMPLE_ROWS = 3  # at least two: a single row would freeze the exported batch dimension


def log_model_file(entry: StageEntry, path: str, task: str, run_id: str) -> str:
    """Log a model file of a stage to a run, with signature and input example; return its model id."""
    import mlflow

    # A model lies under an experiment; without this it would be the one called Default.
    mlflow.set_experiment(experiment_id=mlflow.get_run(run_id).info.experiment_id)
    # The example is of data that the stage depends on, so that it is there whenever the stage's files are.
    split = "validation" if f"data/{task}/development" in entry.deps else "test"
    example = load_inputs(task, split, entry.root)[:EXAMPLE_ROWS]
    log = {".safetensors": _log_torch, ".skops": _log_sklearn, ".onnx": _log_onnx}[Path(path).suffix]
    info = log(str(entry.root / path), example, run_id)
    return str(info.model_id)


def register_champion(client: "MlflowClient", content: str, model_id: str, task: str, *, alias: bool = True) -> bool:
    """Register an exported model, whose file has the MD5 `content`, as `provenn-<task>`; return whether that was new.

    One version a content: a version of the same file is used again. With `alias` it becomes the `champion`.
    """
    from mlflow.exceptions import MlflowException

    name, changed = f"provenn-{task}", False
    try:
        client.create_registered_model(name, description=f"The best network for {task}, chosen on validation, as ONNX.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    versions = client.search_model_versions(f"name = '{name}'")
    version = next((found for found in versions if found.tags.get("md5") == content), None)
    if version is None:
        changed = True
        tags = {"md5": content, "task": task}
        version = client.create_model_version(name, f"models:/{model_id}", model_id=model_id, tags=tags)
    aliases = client.get_registered_model(name).aliases
    if alias and str(aliases.get("champion")) != str(version.version):
        changed = True
        client.set_registered_model_alias(name, "champion", version.version)
    return changed


def _log_torch(path: str, example: np.ndarray, run_id: str) -> Any:
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
        run_id=run_id,
        signature=infer_signature(example, outputs),
        input_example=example,
        pip_requirements=_requirements("torch", "numpy"),
        serialization_format="pt2",
    )


def _log_sklearn(path: str, example: np.ndarray, run_id: str) -> Any:
    import mlflow.sklearn
    from mlflow.models import infer_signature

    from provenn.models.baselines import TRUSTED_TYPES, load_estimator, predict

    estimator = load_estimator(path)
    return mlflow.sklearn.log_model(
        estimator,
        name=Path(path).stem,
        run_id=run_id,
        signature=infer_signature(example, predict(estimator, example)),
        input_example=example,
        pip_requirements=_requirements("scikit-learn", "skops", "numpy"),
        serialization_format="skops",
        skops_trusted_types=TRUSTED_TYPES,
        pyfunc_predict_fn="predict_proba" if hasattr(estimator, "predict_proba") else "predict",
    )


def _log_onnx(path: str, example: np.ndarray, run_id: str) -> Any:
    import mlflow.onnx
    import onnx
    from mlflow.models import infer_signature

    from provenn.exporting import open_session, run_onnx

    return mlflow.onnx.log_model(
        onnx.load(path),
        name=Path(path).stem,
        run_id=run_id,
        signature=infer_signature(example, run_onnx(open_session(Path(path).read_bytes()), example)),
        input_example=example,
        pip_requirements=_requirements("onnx", "onnxruntime", "numpy"),
        save_as_external_data=False,
        onnx_execution_providers=["CPUExecutionProvider"],
    )


def _requirements(*packages: str) -> list[str]:
    return [f"{package}=={installed(package).partition('+')[0]}" for package in packages]
