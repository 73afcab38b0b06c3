"""A Process Run Crate (https://w3id.org/ro/wfrun/process): each stage an action with inputs, outputs and parameters."""

import json
import math
from typing import Any
from urllib.parse import quote

from rocrate.model.contextentity import ContextEntity  # type: ignore[import-untyped]
from rocrate.rocrate import ROCrate  # type: ignore[import-untyped]

from provenn.entry import Entry, is_outside
from provenn.trust.exports.commit import Commit

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"


def write(commit: Commit, target: str | None) -> str:
    """Return ro-crate-metadata.json for the repository's root, of all stages or of one and what made its inputs."""
    entries = commit.made_from(commit.find(target).entry) if target else commit.entries
    actions = [entry for entry in entries.values() if entry.command]
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms["sha256"] = "https://w3id.org/ro/terms/workflow-run#sha256"
    crate.name = f"Results at commit {commit.id[:12]}"
    crate.description = f"What {len(actions)} stages read and made, as dvc.lock records it."
    root = crate.root_dataset
    root["datePublished"] = commit.time.isoformat()
    root["version"] = commit.id
    profile = {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    root["conformsTo"] = crate.add(ContextEntity(crate, PROFILE, properties=profile))
    license_file = next((name for name in commit.names_in_git if name.upper().startswith(("LICENSE", "COPYING"))), None)
    if license_file:
        root["license"] = crate.add_file(
            dest_path=license_file, properties={"name": "License", "encodingFormat": "text/plain"}
        )
    for entry in entries.values():
        for path, value in entry.outs.items():
            _data(crate, commit, path, value)
    root["mentions"] = [_action(crate, commit, entry) for entry in actions]
    metadata = crate.metadata.generate()
    return json.dumps(metadata, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _action(crate: Any, commit: Commit, entry: Entry) -> Any:
    name = quote(entry.name, safe="@")
    program = {"@type": "SoftwareApplication", "name": entry.command, "softwareVersion": commit.id}
    parameters = [
        crate.add(
            ContextEntity(
                crate,
                f"#{name}/{quote(key)}",
                properties={"@type": "PropertyValue", "name": key, "value": _value(value)},
            )
        )
        for key, value in entry.settings().items()
    ]
    return crate.add_action(
        crate.add(ContextEntity(crate, f"#{name}/command", properties=program)),
        identifier=f"#{name}",
        object=_one_or_all([*(_data(crate, commit, path, value) for path, value in entry.deps.items()), *parameters]),
        result=_one_or_all([_data(crate, commit, path, value) for path, value in entry.outs.items()]),
        properties={"name": entry.name, "description": entry.description or entry.command},
    )


def _data(crate: Any, commit: Commit, path: str, value: str) -> Any:
    """Return the entity of a file or folder; a content that the commit does not have there is one of its own."""
    outside = is_outside(path)
    earlier = not outside and not value.endswith(".dir") and not commit.holds(path, value)
    identifier = f"#{quote(path)}@{value}" if earlier else path if outside else quote(path)
    properties = {"name": path, "identifier": f"md5:{value}"}
    known = crate.dereference(identifier)
    if known:
        return known
    if earlier:
        return crate.add(ContextEntity(crate, identifier, properties={"@type": "CreativeWork"} | properties))
    if outside:
        return crate.add_file(path if "://" in path else f"file://{quote(path)}", properties=properties)
    if value.endswith(".dir"):
        return crate.add_dataset(dest_path=path, properties=properties)
    (file,) = commit.files_of(path, value)
    properties |= {"encodingFormat": file.media_type}
    if file.sha256:
        properties |= {"sha256": file.sha256, "contentSize": str(file.size)}
    return crate.add_file(dest_path=path, properties=properties)


def _one_or_all(values: list[Any]) -> Any:
    """Return the one value alone, as compacted JSON-LD has it."""
    return values[0] if len(values) == 1 else values


def _value(value: Any) -> Any:
    """Return a parameter as a value of JSON-LD, in which a list would be an unordered set."""
    is_plain = isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
    return value if is_plain else json.dumps(value, default=str)
