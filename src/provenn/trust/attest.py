"""`provenn attest` and `provenn verify --attestations`: signed statements of what dvc.lock records, and their check."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from provenn.definitions import address
from provenn.entry import Entry, is_outside
from provenn.files import UserError
from provenn.lock import read_lock, recorded, recorded_names
from provenn.repository import git, has_commit, head
from provenn.trust.signatures import (
    load_public_keys,
    load_signer,
    own_key,
    read_signed,
    write_public_key,
    write_signed,
)
from provenn.trust.statement import (
    PROVENANCE,
    TEST_RESULT,
    Files,
    changed_files,
    commit_of,
    differences,
    provenance,
    rerun_result,
)
from provenn.view.records import find_record

if TYPE_CHECKING:
    from securesystemslib.signer import Key

    from provenn.trust.reproduce import Reproduction

FOLDER = Path("attestations")  # statements of stages; below it those of reruns, and the public keys
RERUNS, KEYS = FOLDER / "reruns", FOLDER / "keys"


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
    keys: list[str] = field(default_factory=list)
    own_keys: bool = False
    not_here: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """Return the answer in words."""
        parts = [f"{self.stages} stages and {self.reruns} reruns are signed by {', '.join(self.keys) or 'no key'}."]
        parts += [f"{len(self.not_here)} of their files are not here, and were not looked at."] if self.not_here else []
        if not self.own_keys:
            parts.append(f"The keys are those in {KEYS}: whoever can write there can sign; --key names one you trust.")
        parts.append(f"Not as signed: {len(self.findings)}." if self.findings else "All is as it was signed.")
        return " ".join(parts)


def attest(root: Path, names: Iterable[str] = (), key: Path | None = None) -> tuple[list[str], list[str], Path]:
    """Sign a statement for each stage, or for those named; return the signed, those that were already, and the key.

    Raises UserError when results are not committed, or when files here are not those that dvc.lock records: a statement
    names a commit, and gives files' SHA-256 beside the MD5 that DVC took of them.
    """
    recorded_entries = read_lock(root)
    entries = _chosen(recorded_entries, names, root)
    commit = _commit_with(root, entries)
    signer = load_signer(key or own_key(), create=key is None)
    public = write_public_key(root / KEYS, signer)
    check = Check(root, load_public_keys([public]), recorded_entries)
    kept = [name for name in entries if _is_signed(check, root / _file_of(name))]
    signed = [name for name in entries if name not in kept]
    for name in signed:
        _require_recorded_files(entries[name], check.files)
    for name in signed:
        record = find_record(root, entries[name])
        platform = record.tags.get("numeric.platform") if record else None
        write_signed(root / _file_of(name), provenance(entries[name], check.files, commit, platform), signer)
    return signed, kept, public.relative_to(root)


def attest_rerun(root: Path, answer: "Reproduction", key: Path | None = None) -> Path:
    """Sign what a rerun came to, beside the statement of the stage; return the file.

    Raises UserError when dvc.lock records another result by now.
    """
    entries = read_lock(root)
    entry = entries.get(answer.stage)
    if entry is None or entry.outs != {path: recorded for path, (recorded, _) in answer.outputs.items()}:
        raise UserError(f"dvc.lock has another result of {answer.stage} than the one that was run again: not signed.")
    signer = load_signer(key or own_key(), create=key is None)
    public = write_public_key(root / KEYS, signer)
    same = {path for path, (recorded, now) in answer.outputs.items() if recorded == now}
    statement = rerun_result(entry, _files(root, entries), answer.commit, answer.platforms, answer.verdict, same)
    path = RERUNS / f"{quote(answer.stage, safe='@')}.{public.stem}.json"
    write_signed(root / path, statement, signer)
    return path


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
        self.entries = recorded(root, self.names)
        self.files = _files(root, self.entries)
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

    def _has_result(self, commit: str, name: str) -> bool:
        if commit not in self._committed:
            self._committed[commit] = recorded(self.root, self.names, commit) if has_commit(self.root, commit) else {}
        there, here = self._committed[commit].get(name), self.entries[name]
        return there is not None and (there.key, there.outs) == (here.key, here.outs)


def _files(root: Path, entries: Mapping[str, Entry]) -> Files:
    return Files(root, (out for entry in entries.values() for out in entry.outs))


def _is_signed(check: Check, path: Path) -> bool:
    return path.is_file() and not check.statement(path, Verification())


def _chosen(entries: Mapping[str, Entry], names: Iterable[str], root: Path) -> dict[str, Entry]:
    made = {name: entry for name, entry in entries.items() if entry.command and entry.outs}
    wanted = [address(name, root, Path.cwd()) for name in names]
    unknown = [name for name in wanted if name not in made]
    if unknown:
        raise UserError(f"dvc.lock has no result of {unknown[0]}: `dvc repro {unknown[0]}` makes it.")
    if not made:
        raise UserError("dvc.lock has no result of any stage yet: `provenn repro` makes them.")
    return {name: made[name] for name in wanted or made}


def _commit_with(root: Path, entries: Mapping[str, Entry]) -> str:
    commit = head(root)
    if commit is None:
        raise UserError("there is no commit that a statement could name: commit the pipeline with its dvc.lock first.")
    committed = recorded(root, entries, commit)
    for name, entry in entries.items():
        there = committed.get(name)
        if there is None or (there.key, there.outs) != (entry.key, entry.outs):
            raise UserError(f"the result of {name} is not committed: commit dvc.lock, then run `provenn attest` again.")
    sources = sorted({path for entry in entries.values() for path in entry.deps if not is_outside(path)})
    changed = git("status", "--porcelain", "--", *sources, root=root)
    if changed:
        raise UserError(
            f"{changed.split(maxsplit=1)[1].splitlines()[0]} has changes that are not committed: commit them."
        )
    return commit


def _require_recorded_files(entry: Entry, files: Files) -> None:
    for path, value in [*entry.deps.items(), *entry.outs.items()]:
        outside = is_outside(path)
        if not outside and not files.is_recorded(path, value):
            raise UserError(f"{path} of {entry.name} is not here as dvc.lock records it: `provenn repro` brings it.")


def _file_of(name: str) -> Path:
    return FOLDER / f"{quote(name, safe='@')}.json"


def _stage_of(path: Path) -> str:
    return unquote(path.stem.rpartition(".")[0] if path.parent.name == RERUNS.name else path.stem)


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
