"""Croissant (https://mlcommons.org/croissant/): a data set's files with their SHA-256, and the columns of tables."""

import io
import json
from pathlib import Path
from typing import Any

import mlcroissant as mlc  # type: ignore[import-untyped]
import pandas as pd

from provenn.files import UserError
from provenn.trust.exports.commit import Commit, File

TABLES = {"text/csv": ",", "text/tab-separated-values": "\t"}
TYPES = {"b": mlc.DataType.BOOL, "i": mlc.DataType.INTEGER, "u": mlc.DataType.INTEGER, "f": mlc.DataType.FLOAT}


def write(commit: Commit, target: str | None) -> str:
    """Return the JSON-LD of an output of a stage or a .dvc file, for the root of the repository, from which paths are.

    Raises UserError without a target, and when a file of it is nowhere.
    """
    result = commit.find(target) if target else None
    paths = [] if result is None else [result.path] if result.path else list(result.entry.outs)
    if result is None or len(paths) != 1:
        raise UserError("a Croissant file is of one data set: name an output of a stage, or a file that DVC tracks.")
    files = commit.files(paths[0])
    lost = next((file.path for file in files if file.sha256 is None), None if files else paths[0])
    if lost:
        raise UserError(f"{lost} is nowhere as the commit has it: `dvc pull {paths[0]}` may bring it.")
    context = mlc.Context(conforms_to="http://mlcommons.org/croissant/1.0")
    artifact = commit.artifact(paths[0])
    metadata = mlc.Metadata(
        ctx=context,
        name=artifact.name if artifact else Path(paths[0]).name,
        description=(artifact.description if artifact else "") or result.entry.description or None,
        date_published=commit.time,
        version=f"0.0.0+{commit.id}",
        distribution=[_distribution(context, file) for file in files],
        record_sets=[records for file in files if (records := _records(context, commit, file))],
    )
    return json.dumps(metadata.to_json(), indent=2, ensure_ascii=False) + "\n"


def _distribution(context: Any, file: File) -> Any:
    return mlc.FileObject(
        ctx=context,
        id=file.path,
        name=file.path,
        content_url=file.path,
        content_size=f"{file.size} B",
        encoding_formats=[file.media_type],
        sha256=file.sha256,
    )


def _records(context: Any, commit: Commit, file: File) -> Any | None:
    """Return the columns of a table with their types; None for what is no table."""
    if file.media_type not in TABLES:
        return None
    try:
        table = pd.read_csv(io.BytesIO(commit.content(file) or b""), sep=TABLES[file.media_type])
    except ValueError:  # of pandas' parser, or of text that is not UTF-8
        return None
    name = f"records/{file.path}"
    fields = [
        mlc.Field(
            ctx=context,
            id=f"{name}/{column}",
            name=str(column),
            data_types=[TYPES.get(table[column].dtype.kind, mlc.DataType.TEXT)],
            source=mlc.Source(ctx=context, file_object=file.path, extract=mlc.Extract(ctx=context, column=str(column))),
        )
        for column in table
    ]
    return mlc.RecordSet(ctx=context, id=name, name=name, fields=fields)
