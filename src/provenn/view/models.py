"""Logging model files as MLflow models without loading them, and the registry. No pickle is read or written."""

import platform
import re
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenn.contents import content_digest
from provenn.entry import Artifact, Entry
from provenn.files import UserError
from provenn.view.meta import Loader, meta_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.models import Model, ModelSignature

PATH, DIGEST = "dvc.path", "dvc.digest"  # tags of a logged model: which file it is, by name and by content
CHAMPION = "champion"  # the alias of the version that the checked-out dvc.lock holds


def model_paths(entry: Entry) -> list[str]:
    """Return the outputs of a stage that are models: declared ones, and artifacts of the type model."""
    return list(dict.fromkeys([*meta_of(entry).models, *entry.models()]))


def model_name(path: str) -> str:
    """Return what a model file's logged model is called: the file's name, without what MLflow refuses in one."""
    return "".join("_" if letter in "/:.%\"'" else letter for letter in Path(path).stem)


def log_model(
    client: "MlflowClient", root: Path, entry: Entry, path: str, run_id: str, parameters: dict[str, str]
) -> str:
    """Log a model file or folder of a stage of the repository at `root` to its run; return the logged model's id.

    An ONNX file gets MLflow's flavour of it, with the signature that the file states. Any other is loaded by the module
    that `meta` declares; without one the model is its files alone.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    file, loader = entry.root / path, meta_of(entry).models.get(path)
    experiment = client.get_run(run_id).info.experiment_id
    tags = {PATH: path, DIGEST: entry.outs.get(path) or content_digest(file)}
    logged = client.create_logged_model(experiment, model_name(path), run_id, tags, parameters)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    model = Model(logged.artifact_location, run_id, model_uuid=logged.model_id, model_id=logged.model_id)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "model")
        if loader:
            _save_python(model, file, loader, _package(loader.loader, entry, root), target)
        elif file.suffix == ".onnx" and _has("onnx"):
            _save_onnx(model, file, target)
        else:
            _save_files(model, file, target)
        client.log_model_artifacts(logged.model_id, str(target))
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    return str(logged.model_id)


def logged_models(client: "MlflowClient", run: "Run") -> "list[LoggedModel]":
    """Return the models that a run logged, without those that somebody has deleted since."""
    from mlflow.exceptions import MlflowException

    found = []
    for output in run.outputs.model_outputs if run.outputs else []:
        try:
            found.append(client.get_logged_model(output.model_id))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    return found


def register(client: "MlflowClient", artifact: Artifact, digest: str, model_id: str, *, champion: bool) -> bool:
    """Register a model under its artifact's name, a version a content; return whether anything was new.

    A version of the same digest is used again. With `champion` the alias is set to it.
    """
    from mlflow.exceptions import MlflowException

    changed = False
    try:
        client.create_registered_model(artifact.name, dict.fromkeys(artifact.labels, "true"), artifact.description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    versions = client.search_model_versions(f"name = '{artifact.name}'")
    version = next((found for found in versions if found.tags.get(DIGEST) == digest), None)
    if version is None:
        changed = True
        source = f"models:/{model_id}"
        version = client.create_model_version(artifact.name, source, model_id=model_id, tags={DIGEST: digest})
    aliases = client.get_registered_model(artifact.name).aliases
    if champion and str(aliases.get(CHAMPION)) != str(version.version):
        changed = True
        client.set_registered_model_alias(artifact.name, CHAMPION, version.version)
    return changed


def _save_python(model: "Model", file: Path, loader: Loader, package: Path, target: Path) -> None:
    # As mlflow.pyfunc.save_model lays it out, which would spend a second on comparing versions of installed packages.
    import mlflow.pyfunc

    _copy(package, target / "code" / package.name)
    _copy(file, target / "data" / file.name)
    requirements = _requirements("mlflow", *loader.requirements)
    (target / "requirements.txt").write_text("\n".join(requirements) + "\n")
    environment = (
        f"python: {platform.python_version()}\nbuild_dependencies: [pip]\ndependencies: [-r requirements.txt]\n"
    )
    (target / "python_env.yaml").write_text(environment)
    mlflow.pyfunc.add_to_model(
        model,
        loader_module=loader.loader,
        data=f"data/{file.name}",
        code="code",
        python_env="python_env.yaml",
    )
    model.save(str(target / "MLmodel"))


def _save_onnx(model: "Model", file: Path, target: Path) -> None:
    import mlflow.onnx
    import onnx

    content = onnx.load(file)
    mlflow.onnx.save_model(
        content,
        target,
        signature=_signature(content),
        pip_requirements=_requirements("mlflow", "onnx", "onnxruntime", "numpy"),
        save_as_external_data=False,
        onnx_execution_providers=["CPUExecutionProvider"],
        mlflow_model=model,
    )


def _save_files(model: "Model", file: Path, target: Path) -> None:
    _copy(file, target / file.name)
    model.save(str(target / "MLmodel"))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _signature(content: Any) -> "ModelSignature":
    """Return the tensors that an ONNX graph takes and gives; -1 stands for a free dimension."""
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    def schema(values: Any) -> Schema:
        specs: list[ColSpec | TensorSpec] = []
        for value in values:
            tensor = value.type.tensor_type
            shape = tuple(size.dim_value if size.HasField("dim_value") else -1 for size in tensor.shape.dim)
            specs.append(TensorSpec(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type), shape, value.name))
        return Schema(specs)

    constants = {tensor.name for tensor in content.graph.initializer}
    inputs = [value for value in content.graph.input if value.name not in constants]
    return ModelSignature(inputs=schema(inputs), outputs=schema(content.graph.output))


def _package(module: str, entry: Entry, repository: Path) -> Path:
    """Return the top folder or file of a module: on the command's PYTHONPATH, at the repository's root, or in src."""
    places = re.findall(r"PYTHONPATH=['\"]?([^\s'\"]+)", entry.command)
    top = module.partition(".")[0]
    for place in [*(entry.path(path) for listed in places for path in listed.split(":")), entry.folder, ".", "src"]:
        for found in (repository / place / top, repository / place / f"{top}.py"):
            if found.exists():
                return found
    raise UserError(f"dvc.yaml, stage {entry.name}: the loader {module} is no module of this repository.")


def _requirements(*packages: str) -> list[str]:
    found = []
    for package in packages:
        try:
            found.append(f"{package}=={installed(package).partition('+')[0]}")
        except PackageNotFoundError:
            found.append(package)
    return found


def _has(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None
