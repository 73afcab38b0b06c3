"""Logging model files as MLflow models in their native flavour, without pickle; and the registry."""

import tempfile
from contextlib import AbstractContextManager
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from provenn.data.tasks import load_inputs
from provenn.tracking import projection
from provenn.tracking.entry import StageEntry

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXAMPLE_ROWS = 3  # at least two: a single row would freeze the exported batch dimension


def prepare(path: str | None) -> None:
    """Import what logging this model file is going to need, while there is nothing else to do."""
    if path is None:
        return
    import mlflow.pyfunc

    suffix = Path(path).suffix
    if suffix == ".safetensors":
        import mlflow.pytorch
        import torch

        # torch imports its compiler when it exports for the first time.
        torch.export.export(torch.nn.Linear(1, 1), (torch.zeros(2, 1),))
    elif suffix == ".skops":
        import mlflow.sklearn

        from provenn.models.baselines import import_skops

        import_skops()
    elif suffix == ".onnx":
        import mlflow.onnx  # noqa: F401
        import onnxruntime  # noqa: F401


def log_model_file(client: "MlflowClient", entry: StageEntry, path: str, task: str, run_id: str) -> str:
    """Log a model file of a stage to a run, with signature and input example; return its model id.

    In the steps of MLflow's `log_model` but for its last: it would load what it has just written, and ask it.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    # The example is of data that the stage depends on, so that it is there whenever the stage's files are.
    split = "validation" if f"data/{task}/development" in entry.deps else "test"
    example = load_inputs(task, split, entry.root)[:EXAMPLE_ROWS]
    save = {".safetensors": _save_torch, ".skops": _save_sklearn, ".onnx": _save_onnx}[Path(path).suffix]
    logged = client.create_logged_model(
        client.get_run(run_id).info.experiment_id,
        name=Path(path).stem,
        source_run_id=run_id,
        params=projection.parameters_of(entry),
    )
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    description = Model(logged.artifact_location, run_id, model_uuid=logged.model_id, model_id=logged.model_id)
    with tempfile.TemporaryDirectory() as folder, _trusting_requirements():
        save(str(entry.root / path), example, path=f"{folder}/model", mlflow_model=description)
        client.log_model_artifacts(logged.model_id, f"{folder}/model")
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    return str(logged.model_id)


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


def _save_torch(file: str, example: np.ndarray, **target: Any) -> None:
    import mlflow.pytorch
    import torch
    from mlflow.models import infer_signature

    from provenn.models.modules import load_network

    network = load_network(file)
    with torch.no_grad():
        outputs = network(torch.from_numpy(example)).numpy()
    mlflow.pytorch.save_model(
        network,
        signature=infer_signature(example, outputs),
        input_example=example,
        pip_requirements=_requirements("torch", "numpy"),
        serialization_format="pt2",
        **target,
    )


def _save_sklearn(file: str, example: np.ndarray, **target: Any) -> None:
    import mlflow.sklearn
    from mlflow.models import infer_signature

    from provenn.models.baselines import TRUSTED_TYPES, load_estimator, predict

    estimator = load_estimator(file)
    mlflow.sklearn.save_model(
        estimator,
        signature=infer_signature(example, predict(estimator, example)),
        input_example=example,
        pip_requirements=_requirements("scikit-learn", "skops", "numpy"),
        serialization_format="skops",
        skops_trusted_types=TRUSTED_TYPES,
        pyfunc_predict_fn="predict_proba" if hasattr(estimator, "predict_proba") else "predict",
        **target,
    )


def _save_onnx(file: str, example: np.ndarray, **target: Any) -> None:
    import mlflow.onnx
    import onnx
    from mlflow.models import infer_signature

    from provenn.exporting import open_session, run_onnx

    mlflow.onnx.save_model(
        onnx.load(file),
        signature=infer_signature(example, run_onnx(open_session(Path(file).read_bytes()), example)),
        input_example=example,
        pip_requirements=_requirements("onnx", "onnxruntime", "numpy"),
        save_as_external_data=False,
        onnx_execution_providers=["CPUExecutionProvider"],
        **target,
    )


def _trusting_requirements() -> AbstractContextManager[Any]:
    # MLflow would list every installed file, to compare versions with those of which they were just read.
    return patch("mlflow.utils.environment.warn_dependency_requirement_mismatches")


def _requirements(*packages: str) -> list[str]:
    return [f"{package}=={installed(package).partition('+')[0]}" for package in packages]
