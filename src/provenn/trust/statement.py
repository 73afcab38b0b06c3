"""in-toto statements: what dvc.lock records of a stage, with SHA-256 beside DVC's MD5, in the words of SLSA provenance.

https://in-toto.io/Statement/v1, https://slsa.dev/provenance/v1, https://in-toto.io/attestation/test-result/v0.1.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from provenn.contents import has_content
from provenn.entry import Entry, directory_digest
from provenn.files import digest, sha256
from provenn.repository import git

STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
STAGE = "urn:provenn:dvc-stage:v1"  # `externalParameters` as `provenance` makes them
DVC = "dvcMd5"  # as dvc.lock has it: with `.dir` for a folder, and an etag for what lies outside
DIGESTS = {"md5": DVC, "sha256": "sha256", "dirHash": "dirHash"}


class Difference(NamedTuple):
    """A field in which a statement is not what is here."""

    field: str
    signed: Any
    here: Any


class Files:
    """What lies in the working folder, each file read once.

    A folder's files are those that git would take and the `outputs` of stages, not what tools left there; or else all.
    """

    def __init__(self, root: Path, outputs: Iterable[str]) -> None:
        self.root = root
        self._outputs = frozenset(outputs)
        self._members: dict[str, dict[str, str] | None] = {}

    def digests(self, path: str) -> dict[str, str] | None:
        """Return {"sha256": …} of a file, {"dirHash": …} of a folder, in-toto's names; None when it is not here."""
        members = self.members(path)
        if members is None or "." in members:
            return members and {"sha256": members["."]}
        lines = "".join(f"{value}  {name}\n" for name, value in members.items())
        return {"dirHash": hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()}

    def members(self, path: str) -> dict[str, str] | None:
        """Return the SHA-256 of a folder's files by their paths in it, of a file by "."; None when it is not here."""
        if path not in self._members:
            self._members[path] = self._measure(path)
        return self._members[path]

    def is_recorded(self, path: str, value: str) -> bool:
        """Return whether what is here has the digest that DVC recorded."""
        if not value.endswith(".dir"):
            return has_content(self.root / path, value)
        return directory_digest({name: digest(file) for name, file in self._below(path)}) == value

    def _measure(self, path: str) -> dict[str, str] | None:
        here = self.root / path
        if here.is_file():
            return {".": sha256(here)}
        lost = any(out.startswith(f"{path}/") and not (self.root / out).exists() for out in self._outputs)
        if lost or not here.is_dir():
            return None
        return {name: sha256(file) for name, file in self._below(path)}

    def _below(self, path: str) -> Iterator[tuple[str, Path]]:
        folder = self.root / path
        files = [file for file in folder.rglob("*") if file.is_file()]
        known = [file for file in files if self._is_known(file.relative_to(self.root))]
        yield from sorted((file.relative_to(folder).as_posix(), file) for file in known or files)

    def _is_known(self, file: Path) -> bool:
        return file.as_posix() in self._in_git or any(str(part) in self._outputs for part in (file, *file.parents))

    @cached_property
    def _in_git(self) -> frozenset[str]:
        listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", root=self.root)
        return frozenset((listed or "").split("\0"))


def provenance(entry: Entry, files: Files, commit: str, platform: str | None) -> dict[str, Any]:
    """Return the statement that a stage's outputs came from its command, parameters and dependencies at a commit."""
    return _statement(
        entry,
        files,
        PROVENANCE,
        {
            "buildDefinition": {
                "buildType": STAGE,
                "externalParameters": {
                    "stage": entry.name,
                    "command": entry.command,
                    "parameters": _plain(entry.params),
                },
                "internalParameters": {"platform": platform or "unknown"},
                "resolvedDependencies": [
                    {"name": "commit", "digest": {"gitCommit": commit}},
                    *(_descriptor(path, value, files) for path, value in entry.deps.items()),
                ],
            },
            "runDetails": {"builder": {"id": STAGE, "version": {"provenn": version("provenn")}}},
        },
    )


def rerun_result(
    entry: Entry, files: Files, commit: str, platforms: tuple[str | None, str | None], verdict: str, same: set[str]
) -> dict[str, Any]:
    """Return the statement that an independent rerun of a stage at a commit came to this verdict."""
    passed = [path for path in entry.outs if path in same]
    predicate = {
        "result": "PASSED"
        if len(passed) == len(entry.outs)
        else "WARNED"
        if verdict.startswith("within")
        else "FAILED",
        "configuration": [
            {
                "name": entry.name,
                "digest": {"gitCommit": commit, "sha256": entry.key},
                "annotations": {"verdict": verdict, "recorded": platforms[0], "rerun": platforms[1]},
            }
        ],
        "passedTests": passed,
        "failedTests": [path for path in entry.outs if path not in same],
    }
    return _statement(entry, files, TEST_RESULT, predicate)


def differences(statement: Mapping[str, Any], entry: Entry) -> list[Difference]:
    """Return where a statement of either kind is not what dvc.lock records of the stage."""
    signed, here = _signed_fields(statement), _fields(entry)
    if statement.get("predicateType") == TEST_RESULT:
        here = {name: value for name, value in here.items() if name.startswith(("stage", "key", "outputs."))}
    else:
        del here["key"]
    return [
        Difference(name, signed.get(name), here.get(name))
        for name in [*here, *(name for name in signed if name not in here)]
        if signed.get(name) != here.get(name)
    ]


def changed_files(statement: Mapping[str, Any], files: Files) -> tuple[list[Difference], list[str]]:
    """Return which files are not those of a statement, and which are not here."""
    found, missing = [], []
    for kind, descriptor in _descriptors(statement):
        name, signed = descriptor["name"], dict(descriptor["digest"])
        signed.pop(DVC, None)
        if not signed:
            continue
        here = files.digests(name)
        if here is None:
            missing.append(name)
        elif here != signed:
            found.append(
                Difference(f"content of {kind}.{name}", *(next(iter(value.values())) for value in (signed, here)))
            )
    return found, missing


def commit_of(statement: Mapping[str, Any]) -> str:
    """Return the commit of which a statement speaks."""
    predicate = statement["predicate"]
    first = (predicate.get("configuration") or predicate["buildDefinition"]["resolvedDependencies"])[0]
    return str(first["digest"]["gitCommit"])


def _statement(entry: Entry, files: Files, kind: str, predicate: dict[str, Any]) -> dict[str, Any]:
    subject = [_descriptor(path, value, files) for path, value in entry.outs.items()]
    return {"_type": STATEMENT, "subject": subject, "predicateType": kind, "predicate": predicate}


def _descriptor(path: str, value: str, files: Files) -> dict[str, Any]:
    return {"name": path, "digest": {**(files.digests(path) or {}), DVC: value}}


def _descriptors(statement: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    build = statement["predicate"].get("buildDefinition") or {}
    for descriptor in build.get("resolvedDependencies", [])[1:]:
        yield "dependencies", descriptor
    for descriptor in statement["subject"]:
        yield "outputs", descriptor


def _signed_fields(statement: Mapping[str, Any]) -> dict[str, Any]:
    predicate = statement["predicate"]
    if statement["predicateType"] == TEST_RESULT:
        (configuration,) = predicate["configuration"]
        fields = {"stage": configuration["name"], "key": configuration["digest"]["sha256"]}
    else:
        external = predicate["buildDefinition"]["externalParameters"]
        fields = {"stage": external["stage"], "command": external["command"]}
        fields |= {f"parameters.{name}": value for name, value in external["parameters"].items()}
    return fields | {f"{kind}.{one['name']}": one["digest"][DVC] for kind, one in _descriptors(statement)}


def _fields(entry: Entry) -> dict[str, Any]:
    return {
        "stage": entry.name,
        "key": entry.key,
        "command": entry.command,
        **{f"parameters.{name}": value for name, value in _plain(entry.params).items()},
        **{f"dependencies.{path}": value for path, value in entry.deps.items()},
        **{f"outputs.{path}": value for path, value in entry.outs.items()},
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON gives them back: a date of YAML is text there."""
    return dict(json.loads(json.dumps(values, default=str)))
