"""Signed statements: who can be fooled by what. Each way of tampering is made for real and must be named."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from repository import Repository, once
from securesystemslib.signer import CryptoSigner
from typer.testing import CliRunner

from provenn.cli import app
from provenn.files import UserError
from provenn.trust.attest import attest, attest_rerun
from provenn.trust.check import verify_attestations
from provenn.trust.model_signatures import sign_model
from provenn.trust.reproduce import reproduce
from provenn.trust.signatures import load_signer, write_public_key, write_signed

STAGES = {
    "prepare": {"cmd": "mkdir data; echo 1 > data/a; echo 2 > data/b", "deps": ["code"], "outs": ["data"]},
    "train": {
        "cmd": "python code/train.py > model.txt",
        "deps": ["code", "data", "raw.csv"],
        "params": ["rate", "sizes"],
        "outs": ["model.txt"],
    },
    "evaluate": {
        "cmd": "mkdir -p scores; cp model.txt scores/all.txt; cp model.txt scores/one.txt; touch empty.txt",
        "deps": ["model.txt"],
        "outs": ["scores/all.txt", {"scores/one.txt": {"cache": False}}, {"empty.txt": {"cache": False}}],
    },
    # Of a folder that git knows one half of, beside what a tool left there.
    "report": {"cmd": "cat scores/* > report.txt", "deps": ["scores"], "outs": [{"report.txt": {"cache": False}}]},
}
MODEL = "attestations/models/model.txt.sig"
MODELS = {
    "one": {"path": "model.txt", "type": "model"},
    "many": {"path": "data", "type": "model"},
}


def attested(root: Path) -> None:
    """Make a repository in which every stage is signed, and a rerun; an older result's statements lie in `old`."""
    repository = Repository.make(root)
    repository.write("params.yaml", "rate: 0.2\nsizes: [3, 2]\n")
    repository.write("raw.csv", "1,2\n")
    repository.write("code/train.py", "print(1)\n")
    repository.define(STAGES, artifacts=MODELS)
    for ignoring in (".gitignore", ".dvcignore"):
        repository.write(ignoring, "__pycache__\n")
    repository.environment["XDG_CONFIG_HOME"] = str(root.parent / "attested-keys")
    for rate in ("0.2", "0.1"):
        repository.write("params.yaml", f"rate: {rate}\nsizes: [3, 2]\n")
        repository.dvc_here("repro")
        repository.commit(f"The rate is {rate}")
        repository.provenn("attest")
        repository.provenn("reproduce", "train", "--sign")
        if rate == "0.2":
            shutil.copytree(root / "attestations", root / "old")
    repository.commit("Signed")
    repository.write("code/__pycache__/train.pyc", "left by Python")


@pytest.fixture
def signed(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Such a repository, as the working folder, with another user's configuration."""
    made = once(tmp_path_factory, "attested", attested)
    repository = Repository(made).copy(tmp_path / "repository")
    monkeypatch.chdir(repository.root)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "keys"))
    return repository


def replace_in(path: str, old: str, new: str) -> Callable[[Path], None]:
    """Return a change of the one place in a file where `old` stands."""

    def change(root: Path) -> None:
        text = (root / path).read_text()
        assert text.count(old) >= 1
        (root / path).chmod(0o644)
        (root / path).write_text(text.replace(old, new, 1))

    return change


def in_stage(stage: str, pattern: str, new: str) -> Callable[[Path], None]:
    """Return a change of what dvc.lock says of one stage."""

    def change(root: Path) -> None:
        lock = root / "dvc.lock"
        before, start, rest = lock.read_text().partition(f"  {stage}:\n")
        after, count = re.subn(pattern, new, rest, count=1)
        assert count == 1
        lock.write_text(before + start + after)

    return change


def digest_in_stage(stage: str, path: str) -> Callable[[Path], None]:
    """Return a change of a digest that dvc.lock has."""
    return in_stage(stage, rf"({path}\n(?:.*\n)?\s+md5: )\w", r"\1x")


def in_statement(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Return a change of a signed payload."""

    def change(root: Path) -> None:
        path = root / "attestations" / name
        envelope = json.loads(path.read_text())
        payload = base64.b64decode(envelope["payload"]).decode()
        assert old in payload
        envelope["payload"] = base64.b64encode(payload.replace(old, new, 1).encode()).decode()
        path.write_text(json.dumps(envelope))

    return change


def copy(old: str, new: str) -> Callable[[Path], None]:
    """Return a change that puts one file into another's place."""
    return lambda root: shutil.copy(next(root.glob(old)), next(root.glob(new), root / new)) and None


def swap_signatures(root: Path) -> None:
    """Give one statement another's signature."""
    one, other = (root / f"attestations/{name}.json" for name in ("train", "evaluate"))
    envelope = json.loads(one.read_text()) | {"signatures": json.loads(other.read_text())["signatures"]}
    one.write_text(json.dumps(envelope))


def sign_with_another_key(root: Path) -> None:
    """Sign another statement with a stranger's key, under the name of the owner's."""
    path = root / "attestations" / "train.json"
    envelope = json.loads(path.read_text())
    signer = load_signer(root / "stranger.pem", create=True)
    write_signed(path, json.loads(base64.b64decode(envelope["payload"])), signer)


def forge_key_id(root: Path) -> None:
    """Do so, and claim that the owner's key did."""
    key = json.loads((root / "attestations" / "train.json").read_text())["signatures"][0]["keyid"]
    sign_with_another_key(root)
    replace_in("attestations/train.json", load_signer(root / "stranger.pem").public_key.keyid, key)(root)


def invent_entry(root: Path) -> None:
    """Add a result that no stage ever had."""
    lock = root / "dvc.lock"
    lock.write_text(lock.read_text() + "  invented:\n    cmd: echo\n    outs:\n    - path: x\n      md5: '1'\n")


def remove_entry(root: Path) -> None:
    """Take the first stage out of dvc.lock."""
    lock = root / "dvc.lock"
    lock.write_text(re.sub(r"  evaluate:\n(    .*\n)+", "", lock.read_text()))


def rewrite_history(root: Path) -> None:
    """Put everything into one new commit: the one that was signed is gone."""
    shutil.rmtree(root / ".git")
    repository = Repository(root)
    repository.run("git", "init", "--quiet")
    repository.commit("All new")


def sign_model_with_another_key(root: Path) -> None:
    """Sign a changed model with a stranger's key."""
    load_signer(root / "stranger.pem", create=True)
    replace_in("model.txt", "1", "2")(root)
    sign_model(root / "model.txt", root / "stranger.pem", root / MODEL)


TAMPERINGS = {
    "a byte of an output": (replace_in("model.txt", "1", "2"), "train", "content of outputs.model.txt"),
    "a byte in a folder": (replace_in("data/b", "2", "3"), "prepare", "content of outputs.data"),
    "a file more in a folder": (copy("raw.csv", "data/c"), "prepare", "content of outputs.data"),
    "a byte of a dependency": (replace_in("raw.csv", "1", "9"), "train", "content of dependencies.raw.csv"),
    "a byte in a mixed folder": (replace_in("scores/one.txt", "1", "2"), "report", "content of dependencies.scores"),
    "a byte of the code": (replace_in("code/train.py", "1", "1 "), "train", "content of dependencies.code"),
    "an empty output filled": (copy("raw.csv", "empty.txt"), "evaluate", "content of outputs.empty.txt"),
    "a parameter": (in_stage("train", "rate: 0.1", "rate: 0.3"), "train", "parameters.rate"),
    "a parameter in a list": (in_stage("train", "- 3\n", "- 4\n"), "train", "parameters.sizes"),
    "a parameter left out": (in_stage("train", " +rate: 0.1\n", ""), "train", "parameters.rate"),
    "a command": (in_stage("train", "cmd: python", "cmd: pypy"), "train", "command"),
    "a dependency's digest": (digest_in_stage("train", "raw.csv"), "train", "dependencies.raw.csv"),
    "a dependency renamed": (in_stage("train", "raw.csv", "row.csv"), "train", "dependencies.row.csv"),
    "an output's digest": (digest_in_stage("train", "model.txt"), "train", "outputs.model.txt"),
    "an invented lock entry": (invent_entry, "invented", "statement"),
    "a lock entry removed": (remove_entry, "evaluate", "stage"),
    "a statement's payload": (in_statement("train.json", "0.1", "0.9"), "train", "signature"),
    "a statement's platform": (in_statement("train.json", '"platform": "', '"platform": "x'), "train", "signature"),
    "a swapped signature": (swap_signatures, "train", "signature"),
    "another key": (sign_with_another_key, "train", "signature"),
    "another key under a forged id": (forge_key_id, "train", "signature"),
    "another stage's statement": (copy("attestations/evaluate.json", "attestations/train.json"), "train", "stage"),
    "an old statement replayed": (copy("old/train.json", "attestations/train.json"), "train", "parameters.rate"),
    "an old rerun replayed": (copy("old/reruns/*", "attestations/reruns/*"), "train", "key"),
    "a rerun as a statement": (copy("attestations/reruns/*", "attestations/train.json"), "train", "predicateType"),
    "a statement removed": (lambda root: (root / "attestations/train.json").unlink(), "train", "statement"),
    "a statement cut": (lambda root: os.truncate(root / "attestations/train.json", 300), "train", "signature"),
    "a byte of a model": (replace_in("model.txt", "1", "2"), "train", "model model.txt"),
    "a byte in a model's folder": (replace_in("data/b", "2", "3"), "prepare", "model data"),
    "a file more in a model's folder": (copy("raw.csv", "data/c"), "prepare", "model data"),
    "another model's signature": (copy(MODEL, "attestations/models/data.sig"), "prepare", "model data"),
    "a signature of no model": (copy(MODEL, "attestations/models/x.sig"), "dvc.lock", "model x"),
    "a model's signature cut": (lambda root: os.truncate(root / MODEL, 300), "train", "model model.txt"),
    "a statement as a model's signature": (copy("attestations/train.json", MODEL), "train", "model model.txt"),
    "a forged model's signature": (replace_in(MODEL, '"sig":"M', '"sig":"N'), "train", "model model.txt"),
    "a model signed by a stranger": (sign_model_with_another_key, "train", "model model.txt"),
    "a rewritten history": (rewrite_history, "train", "commit"),
}  # fmt: skip


def test_what_was_signed_holds_in_another_clone(signed, tmp_path):
    answer = verify_attestations(signed.root)
    assert (answer.findings, answer.stages, answer.models, answer.reruns, answer.not_here) == ([], 4, 2, 1, [])
    clone = tmp_path / "clone"
    signed.run("git", "clone", "--quiet", str(signed.root), str(clone))
    answer = verify_attestations(clone, sorted((signed.root / "attestations/keys").glob("*")))
    assert answer.findings == []
    assert answer.not_here == ["data", "model.txt", "scores", "scores/all.txt"]
    assert "4 of their files are not here" in answer.sentence


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_named_with_its_stage_and_field(signed, name):
    tamper, stage, field = TAMPERINGS[name]
    tamper(signed.root)
    found = verify_attestations(signed.root).findings
    assert (stage, field) in [(finding.stage, finding.field) for finding in found], [*map(str, found)]


def test_a_signature_is_worth_the_key_that_is_trusted(signed, tmp_path):
    stranger = write_public_key(tmp_path, load_signer(tmp_path / "stranger.pem", create=True))
    answer = verify_attestations(signed.root, [stranger])
    assert {finding.field for finding in answer.findings} >= {"signature"}
    assert answer.stages == 0


def test_the_command_says_what_is_wrong_and_exits_with_1(signed):
    assert CliRunner().invoke(app, ["verify", "--attestations"]).exit_code == 0
    replace_in("model.txt", "1", "2")(signed.root)
    said = CliRunner().invoke(app, ["verify", "--attestations"])
    assert said.exit_code == 1
    assert "train: content of outputs.model.txt is" in said.stdout
    found = json.loads(CliRunner().invoke(app, ["verify", "--attestations", "--json"]).stdout)["findings"]
    assert {"train", "evaluate"} == {finding["stage"] for finding in found}


def test_only_what_changed_is_signed_again(signed):
    attest(signed.root)
    again = attest(signed.root)
    assert (again.signed, again.kept, again.models) == ([], ["prepare", "train", "evaluate", "report"], [])
    signed.write("params.yaml", "rate: 0.4\nsizes: [3, 2]\n")
    signed.dvc_here("repro")
    with pytest.raises(UserError, match="the result of train is not committed"):
        attest(signed.root)
    signed.commit("Another rate")
    again = attest(signed.root)
    assert (again.signed, again.kept) == (["train"], ["prepare", "evaluate", "report"])


def test_nothing_is_signed_that_is_not_committed_or_not_here(signed):
    replace_in("code/train.py", "1", "2")(signed.root)
    with pytest.raises(UserError, match=r"code/train\.py has changes that are not committed"):
        attest(signed.root, ["train"])
    signed.git("checkout", "--quiet", ".")
    (signed.root / "data/a").unlink()
    for statement in ("prepare", "evaluate"):
        (signed.root / f"attestations/{statement}.json").unlink()
    with pytest.raises(UserError, match=r"data of prepare is not here as dvc\.lock records it"):
        attest(signed.root, ["evaluate", "prepare"])
    assert not (signed.root / "attestations/evaluate.json").exists()


def test_a_private_key_is_for_its_user_alone_and_never_beside_the_statements(signed, tmp_path):
    shutil.rmtree(signed.root / "attestations")
    done = attest(signed.root)
    private = tmp_path / "keys" / "provenn" / "key.pem"
    assert (done.signed, done.models) == (["prepare", "train", "evaluate", "report"], ["data", "model.txt"])
    assert private.stat().st_mode & 0o777 == 0o600
    assert "PUBLIC KEY" in (signed.root / done.key).read_text()
    assert not any(b"PRIVATE" in file.read_bytes() for file in (signed.root / "attestations").rglob("*.*"))
    assert attest(signed.root).signed == []


def test_a_rerun_that_came_out_otherwise_is_signed_as_failed(signed):
    answer = reproduce("train", signed.root)
    answer.outputs["model.txt"] = (answer.outputs["model.txt"][0], "0" * 32)
    attest_rerun(signed.root, answer)
    found = verify_attestations(signed.root).findings
    assert [(finding.stage, finding.field) for finding in found] == [("train", "result")]


@pytest.mark.parametrize("content", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_one_sentence(tmp_path, content):
    (tmp_path / "key.pem").write_text(content)
    with pytest.raises(UserError, match="cannot be signed with"):
        load_signer(tmp_path / "key.pem")


@pytest.mark.parametrize("arguments", [["--attestations", "--fix"], ["--key", "x.pem"]])
def test_options_that_mean_nothing_together_are_refused(signed, arguments):
    assert isinstance(CliRunner().invoke(app, ["verify", *arguments]).exception, UserError)


def test_without_statements_the_next_step_is_named(repository):
    with pytest.raises(UserError, match="`provenn attest` makes them"):
        verify_attestations(repository.root)


def own_verifier(signed: Repository, model: str) -> subprocess.CompletedProcess[str]:
    """Let the command of OpenSSF Model Signing check a model, as somebody would who never heard of Provenn."""
    (key,) = (signed.root / "attestations/keys").glob("*.pem")
    signature = f"attestations/models/{model}.sig"
    command = [sys.executable, "-W", "ignore", "-m", "model_signing", "verify", "key", model]
    options = ["--signature", signature, "--public_key", str(key)]
    return subprocess.run([*command, *options], cwd=signed.root, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "file"), [("model.txt", "model.txt"), ("data", "data/b")])
def test_the_verifier_of_model_signing_takes_and_refuses_the_same_models(signed, model, file):
    taken = own_verifier(signed, model)
    assert taken.returncode == 0, taken.stdout + taken.stderr
    (signed.root / file).chmod(0o644)
    (signed.root / file).write_text("changed")
    assert own_verifier(signed, model).returncode == 1
    assert f"model {model}" in [finding.field for finding in verify_attestations(signed.root).findings]


def test_models_in_links_into_the_cache_are_signed(signed):
    target = signed.root / "elsewhere"
    shutil.move(signed.root / "model.txt", target)
    (signed.root / "model.txt").symlink_to(target)
    (signed.root / MODEL).unlink()
    assert attest(signed.root, ["train"]).models == ["model.txt"]
    assert verify_attestations(signed.root, sorted((signed.root / "attestations/keys").glob("*"))).findings == []


def test_with_a_key_that_signs_no_models_the_stages_are_signed_and_the_reason_said(signed, tmp_path):
    key = tmp_path / "ed25519.pem"
    key.write_bytes(CryptoSigner.generate_ed25519().private_bytes)
    said = CliRunner().invoke(app, ["attest", "train", "--key", str(key)])
    assert "1 stages and 0 models signed" in said.stdout
    assert f"Models are not signed: {key} is a key for ed25519" in said.stdout
    assert verify_attestations(signed.root).findings == []
