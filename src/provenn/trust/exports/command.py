"""The command `provenn export`."""

from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from provenn.addresses import shown_uri
from provenn.files import UserError, write_bytes
from provenn.repository import find_root


class Format(StrEnum):
    """Formats of others; each is a module of `provenn.trust.exports`."""

    MODEL_CARD = "model-card"
    ML_BOM = "ml-bom"
    RO_CRATE = "ro-crate"
    CROISSANT = "croissant"


def export(
    to: Annotated[Format, typer.Argument(metavar="FORMAT", help="model-card, ml-bom, ro-crate or croissant.")],
    target: Annotated[
        str | None, typer.Argument(help="A stage, an artifact or an output; without one, all that the format can hold.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file to write instead of printing.")] = None,
) -> None:
    """Write what the checked-out commit records, in a format that others read.

    model-card is a model for Hugging Face, ml-bom all models for CycloneDX,
    ro-crate all stages as a Process Run Crate (ro-crate-metadata.json, at the
    root), croissant a data set with its columns (at the root as well). The same
    commit gives the same bytes.

    Examples: provenn export model-card digits -o README.md · provenn export ml-bom
    """
    from provenn.trust.exports.commit import Commit

    try:
        module = import_module(f"provenn.trust.exports.{to.replace('-', '_')}")
    except ModuleNotFoundError as error:
        raise UserError(f"{to} needs {error.name}: `pip install 'provenn[export]'` brings it.") from None
    text = shown_uri(module.write(Commit(find_root()), target))
    if output:
        write_bytes(output, text.encode())
    else:
        print(text, end="")
