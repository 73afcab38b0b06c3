"""`provenn verify --attestations`: whether signed statements and models still are what dvc.lock and the files say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from provenn.entry import Entry
from provenn.files import UserError
from provenn.lock import recorded, recorded_names, working_folders
from provenn.repository import has_commit
from provenn.trust.model_signatures import difference
from provenn.trust.signatures import load_public_keys, read_signed
from provenn.trust.statement import PROVENANCE, TEST_RESULT, Files, changed_files, commit_of, differences

if TYPE_CHECKING:
    from securesystemslib.signer import Key

FOLDER = Path("attestations")  # statements of stages; below it those of reruns, signatures of models, the public keys
RERUNS, MODELS, KEYS = FOLDER / "reruns", FOLDER / "models", FOLDER / "keys"


@dataclass
class Finding:
    """Something that is not as it was signed: in which stage, in which field, and what is wrong."""

    stage: str
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.field} {self.reason}"


@dataclass
class Verification:
    """What a check found, how much it checked, by which keys, and which files it could not look at."""

    findings: list[Finding] = field(default_factory=list)
    stages: int = 0
    reruns: int = 0
    models: int = 0
    keys: list[str] = field(default_factory=list)
    own_keys: bool = False
    not_here: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """Return the answer in words."""
        counts = f"{self.stages} stages, {self.models} models and {self.reruns} reruns"
        parts = [f"{counts} are signed by {', '.join(self.keys) or 'no key'}."]
        parts += [f"{len(self.not_here)} of their files are not here, and were not looked at."] if self.not_here else []
        if not self.own_keys:
            parts.append(f"The keys are those in {KEYS}: whoever can write there can sign; --key names one you trust.")
        parts.append(f"Not as signed: {len(self.findings)}." if self.findings else "All is as it was signed.")
        return " ".join(parts)


def verify_attestations(root: Path, trusted: Iterable[Path] = ()) -> Verification:
    """Check every statement against its signature, dvc.lock, its commit and the files that are here, without network.

    Raises UserError when there is no statement at all, or a key cannot be read.
    """
    own = list(trusted)
    paths = sorted((root / FOLDER).glob("*.json")) + sorted((root / RERUNS).glob("*.json"))
    if not paths:
        raise UserError(f"{FOLDER} holds no statement: `provenn attest` makes them.")
    names = {_stage_of(path) for path in paths}
    check = Check(
        root, load_public_keys(own or sorted((root / KEYS).glob("*.pem"))), names | recorded_names(root, names)
    )
    answer = Verification(own_keys=bool(own))
    for path in paths:
        answer.findings += check.statement(path, answer)
    for path in sorted((root / MODELS).glob("*.sig")):
        answer.findings += check.model(path, answer)
    stated = {_stage_of(path) for path in paths if path.parent.name == FOLDER.name}
    answer.findings += [
        Finding(name, "statement", f"is missing, although dvc.lock has a result: `provenn attest {name}`")
        for name, entry in check.entries.items()
        if name not in stated and entry.outs
    ]
    answer.not_here = sorted(set(answer.not_here))
    return answer


class Check:
    """Compares statements with the repository at `root`; each lock and each file is read once."""

    def __init__(self, root: Path, keys: "list[Key]", names: Iterable[str]) -> None:
        self.root, self.keys, self.names = root, keys, sorted(names)
        self._folders = working_folders(root, self.names)
        self.entries = recorded(root, self.names, None, self._folders)
        self.files = files_of(root, self.entries)
        self._committed: dict[str, dict[str, Entry]] = {}

    def statement(self, path: Path, answer: Verification) -> list[Finding]:
        """Return what is wrong with one statement; count it, its key and what is not here in the answer."""
        name, where, rerun = _stage_of(path), path.relative_to(self.root), path.parent.name == RERUNS.name
        try:
            statement, signed_by = read_signed(path, self.keys)
        except ValueError as error:
            return [Finding(name, "signature", f"of {where} does not hold: the file {error}")]
        try:
            if statement["predicateType"] != (TEST_RESULT if rerun else PROVENANCE):
                return [Finding(name, "predicateType", f"of {where} is {statement['predicateType']}, of another kind")]
            if name not in self.entries:
                return [Finding(name, "stage", "is signed, but dvc.lock has no such stage")]
            changed, missing = changed_files(statement, self.files)
            findings = [
                Finding(name, found.field, f"is {_short(found.here)}; signed was {_short(found.signed)}")
                for found in [*differences(statement, self.entries[name]), *changed]
            ]
            if rerun and statement["predicate"]["result"] == "FAILED":
                findings.append(Finding(name, "result", "of a rerun is different: it did not come out again"))
            commit = commit_of(statement)
            if not self._has_result(commit, name):
                findings.append(Finding(name, "commit", f"{commit[:12]} is not here, or records another result"))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return [Finding(name, "statement", f"of {where} has not the shape of one")]
        answer.stages, answer.reruns = answer.stages + (not rerun), answer.reruns + rerun
        answer.not_here += missing
        answer.keys = sorted({*answer.keys, signed_by[:16]})
        return findings

    def model(self, path: Path, answer: Verification) -> list[Finding]:
        """Return what is wrong with the signature of a model; count it as a statement is counted."""
        model = unquote(path.stem)
        outputs = {out: name for name, entry in self.entries.items() for out in entry.outs}
        made_by = next((outputs[str(part)] for part in (Path(model), *Path(model).parents) if str(part) in outputs), "")
        place = f"model {model}"
        if not made_by:
            return [Finding("dvc.lock", place, "is signed, but no stage makes it")]
        try:
            statement, signed_by = read_signed(path, self.keys)
            members = self.files.members(model)
            changed = difference(statement, members) if members is not None else None
        except ValueError as error:
            return [Finding(made_by, place, f"has a signature that does not hold: the file {error}")]
        except (KeyError, TypeError, AttributeError):
            return [Finding(made_by, place, f"has a signature without the shape of one in {path.name}")]
        answer.models += 1
        answer.not_here += [model] if members is None else []
        answer.keys = sorted({*answer.keys, signed_by[:16]})
        return [Finding(made_by, place, f"is not what was signed: {_in(model, changed)}")] if changed else []

    def _has_result(self, commit: str, name: str) -> bool:
        if commit not in self._committed:
            known = has_commit(self.root, commit)
            self._committed[commit] = recorded(self.root, self.names, commit, self._folders) if known else {}
        there, here = self._committed[commit].get(name), self.entries[name]
        return there is not None and (there.key, there.outs) == (here.key, here.outs)


def files_of(root: Path, entries: Mapping[str, Entry]) -> Files:
    return Files(root, (out for entry in entries.values() for out in entry.outs))


def _in(model: str, name: str) -> str:
    return f"{model} has changed" if name == "." else f"{name} in it has changed"


def _stage_of(path: Path) -> str:
    return unquote(path.stem.rpartition(".")[0] if path.parent.name == RERUNS.name else path.stem)


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
