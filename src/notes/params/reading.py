"""Reading params.yaml and checking all of it."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from notes.files import UserError
from notes.params.messages import sentences
from notes.params.schema import ComparisonParams, NetworkParams, Params, RecordParams
from notes.settings import PARAMS_FILE, read_yaml

Schema = TypeVar("Schema", bound=NetworkParams)


def load_params(path: Path | str = PARAMS_FILE) -> Params:
    """Read and check params.yaml; raise UserError with a line for each mistake."""
    return check_params(read_yaml(path), str(path))


def load_network_params(path: Path | str = PARAMS_FILE) -> NetworkParams:
    """Read and check the params.yaml of any pipeline that trains networks, the main one or one of an experiment.

    Raises UserError with a line for each mistake.
    """
    values = read_yaml(path)
    # An experiment is known by the stage that the main pipeline does not have.
    known: dict[str, type[NetworkParams]] = {"evaluate_seeds": RecordParams, "compare_seeds": ComparisonParams}
    found = [schema for stage, schema in known.items() if isinstance(values, dict) and stage in values]
    return _validate(found[0] if found else Params, values, str(path))


def load_record_params(path: Path | str = PARAMS_FILE) -> RecordParams:
    """Read and check the params.yaml of an experiment with several seeds; raise UserError with a line a mistake."""
    return _validate(RecordParams, read_yaml(path), str(path))


def check_params(values: Any, source: str = "params.yaml") -> Params:
    """Check parsed parameters against the schema; raise UserError with a line for each mistake."""
    return _validate(Params, values, source)


def _validate(schema: type[Schema], values: Any, source: str) -> Schema:
    if not isinstance(values, dict):
        raise UserError(f"{source} must be a mapping with a section for each stage.")
    try:
        return schema.model_validate(values)
    except ValidationError as errors:
        lines = [line for error in errors.errors() for line in sentences(schema, error)]
        raise UserError("\n".join(f"{source}: {line}" for line in lines)) from None
