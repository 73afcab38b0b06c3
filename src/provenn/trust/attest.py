"""`provenn attest`: signed statements of what dvc.lock records, and signed models."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from provenn.definitions import address
from provenn.entry import Entry, is_outside
from provenn.files import UserError
from provenn.lock import read_lock, recorded
from provenn.repository import git, head
from provenn.trust.check import FOLDER, KEYS, MODELS, RERUNS, Check, Verification, files_of
from provenn.trust.model_signatures import sign_model, why_not
from provenn.trust.signatures import load_public_keys, load_signer, own_key, write_public_key, write_signed
from provenn.trust.statement import Files, provenance, rerun_result
from provenn.view.models import model_paths
from provenn.view.records import find_record

if TYPE_CHECKING:
    from provenn.trust.reproduce import Reproduction


class Attested(NamedTuple):
    """Stages signed now and those that were already, the public key, models signed now, and why none are, if so."""

    signed: list[str]
    kept: list[str]
    key: Path
    models: list[str]
    why_no_models: str | None

    @property
    def sentence(self) -> str:
        """Return it in words."""
        counts = (
            f"{len(self.signed)} stages and {len(self.models)} models signed, {len(self.kept)} stages were already."
        )
        unsigned = f" Models are not signed: {self.why_no_models}." if self.why_no_models else ""
        return f"{counts} Commit {FOLDER}/; the public key is {self.key}.{unsigned}"

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "signed": self.signed,
            "unchanged": self.kept,
            "key": str(self.key),
            "models": self.models,
            "why_no_models": self.why_no_models,
        }


def attest(root: Path, names: Iterable[str] = (), key: Path | None = None) -> Attested:
    """Sign a statement for each stage, or for those named, and each model that they made.

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
    made = {path: name for name, entry in entries.items() for path in model_paths(entry) if not is_outside(path)}
    without = why_not(signer.public_key, key or own_key()) if made else None
    models = [path for path in made if not without and not _is_signed_model(check, root / _signature_of(path))]
    for name in dict.fromkeys([*signed, *(made[path] for path in models)]):
        _require_recorded_files(entries[name], check.files)
    for name in signed:
        record = find_record(root, entries[name])
        platform = record.tags.get("numeric.platform") if record else None
        write_signed(root / _file_of(name), provenance(entries[name], check.files, commit, platform), signer)
    for path in models:
        sign_model(root / path, key or own_key(), root / _signature_of(path))
    return Attested(signed, kept, public.relative_to(root), models, without)


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
    statement = rerun_result(entry, files_of(root, entries), answer.commit, answer.platforms, answer.verdict, same)
    path = RERUNS / f"{quote(answer.stage, safe='@')}.{public.stem}.json"
    write_signed(root / path, statement, signer)
    return path


def _is_signed(check: Check, path: Path) -> bool:
    return path.is_file() and not check.statement(path, Verification())


def _is_signed_model(check: Check, path: Path) -> bool:
    return path.is_file() and not check.model(path, Verification())


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
    committed = recorded(root, entries, commit, {name: entry.folder for name, entry in entries.items()})
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


def _signature_of(model: str) -> Path:
    return MODELS / f"{quote(model, safe='@')}.sig"
