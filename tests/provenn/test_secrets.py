"""Keys and passwords do not get into what a run shows: its patch, its tags, and what is said of it.

All keys are made here, out of pieces, so that the repository itself holds none.
"""

import json
import random
import string

import pytest
from repository import Repository

from provenn.addresses import shown_uri
from provenn.lock import read_lock
from provenn.repository import commit_tags, uncommitted_patch
from provenn.secret_scan import holds_secrets
from provenn.view.records import Told
from provenn.view.run import view
from provenn.view.sync import synchronise

WORD = "PLAIN" + "WORD"  # no scanner knows it
SAFE = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def drawn(length: int, letters: str = SAFE) -> str:
    """Return a text as random as a key, the same in each run, with a letter of each kind that there is."""
    generator = random.Random(f"{length}{letters}")
    kinds = [set(letters) & set(kind) for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits)]
    first = [generator.choice(sorted(kind)) for kind in kinds if kind]
    return "".join([*first, *(generator.choice(letters) for _ in range(length - len(first)))])


UPPER = string.ascii_uppercase + string.digits
KEYS = {
    "AWS key id": "key = '" + "AK" + "IA" + drawn(16, UPPER) + "'",
    "AWS temporary key id": "key = '" + "AS" + "IA" + drawn(16, UPPER) + "'",
    "AWS secret key": "aws_sec" + "ret_access_key = " + drawn(40),
    "GitHub": "x = '" + "gh" + "p_" + drawn(36) + "'",
    "GitHub, fine-grained": "x = '" + "github" + "_pat_" + drawn(70) + "'",
    "GitLab": "x = '" + "gl" + "pat-" + drawn(20) + "'",
    "Slack bot": "x = '" + "xo" + "xb-" + drawn(12, string.digits) + "-" + drawn(24) + "'",
    "Slack webhook": "x = 'https://hooks." + "slack.com/services/T" + drawn(8, UPPER) + "/B" + drawn(8, UPPER) + "/x'",
    "Stripe": "x = '" + "sk" + "_live_" + drawn(24) + "'",
    "JWT": "x = '" + "ey" + "JhbGciOiJIUzI1NiJ9." + "ey" + "JzdWIiOiIxMjM0In0." + drawn(43) + "'",
    "RSA key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "OpenSSH key": "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
    "PGP key": "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----",
    "basic auth": "url = 'https://me:" + "letmein" + "@example.org'",
    "database": "url = 'postgresql+psycopg://me:" + "letmein" + "@db/x'",
    "npm": "//registry.npmjs.org/:_auth" + "Token=" + "npm" + "_" + drawn(36),
    "PyPI": "x = '" + "py" + "pi-AgEIcHlwaS5vcmc" + drawn(80) + "'",
    "SendGrid": "x = '" + "S" + "G." + drawn(22) + "." + drawn(43) + "'",
    "Twilio": "x = '" + "S" + "K" + drawn(32, HEX) + "'",
    "Azure storage": "x = 'AccountName=a;Account" + "Key=" + drawn(86) + "=='",
    "OpenAI": "x = '" + "s" + "k-" + drawn(20) + "T3Blbk" + "FJ" + drawn(20) + "'",
    "OpenAI, of a project": "x = '" + "s" + "k-proj-" + drawn(48) + "'",
    "Google": "x = '" + "AI" + "za" + drawn(35) + "'",
    "Hugging Face": "x = '" + "h" + "f_" + drawn(34, string.ascii_letters) + "'",
    "Databricks": "x = '" + "da" + "pi" + drawn(32, HEX) + "'",
    "Telegram": "x = '" + drawn(10, string.digits) + ":AA" + drawn(33, SAFE + "_-") + "'",
    "Discord": "x = '" + "M" + drawn(23) + "." + drawn(6) + "." + drawn(27) + "'",
    "Mailchimp": "x = '" + drawn(32, HEX) + "-us12'",
    "Square": "x = '" + "sq0" + "csp-" + drawn(43) + "'",
    "bearer": "headers = 'Authorization: Bea" + "rer " + drawn(30) + "'",
    "named value": "pass" + "word = 'correct-horse'",
    "named hexadecimal value": "WANDB_API" + "_KEY = '" + drawn(40, HEX) + "'",
    "named value, in a mapping": '{"client_sec' + 'ret": "correct-horse"}',
    "random value": "x = '" + drawn(32) + "'",
    "random value without quotes": "X=" + drawn(32),
}
HARMLESS = [
    "token = tokenizer.encode(text)",
    "pass" + "word = os.environ['DATABASE_PASSWORD']",
    "self.secret = arguments.secret_name",
    f"digest = '{drawn(64, HEX)}'",
    f"  md5: {drawn(32, HEX)}",
    f'"integrity": "sha512-{drawn(86)}=="',
    "path = 'results/classification/mnist_mlp_batch_norm/figures'",
    "models/mnist_mlp: https://example.org:8080/models@champion",
    "def test_a_token_is_a_word_of_the_text(tokens: list[str]) -> None:",
]


@pytest.fixture
def changed(repository: Repository) -> Repository:
    """A repository with a commit, and a change that is not committed."""
    repository.write("src/a.py", "print(1)\n")
    repository.write("params.yaml", "rate: 1\n")
    repository.commit()
    repository.write("params.yaml", "rate: 2\n")
    return repository


@pytest.mark.fault(
    "An uncommitted change holds a key or a password (35 kinds)",
    "no run shows the patch; the note says in which file, not which key",
)
@pytest.mark.parametrize("name", ["src/new.py", "src/new.toml"])
@pytest.mark.parametrize("kind", KEYS)
def test_a_patch_with_a_key_is_left_out_and_the_note_says_where_but_not_which(changed, kind, name):
    changed.write(name, f"# A file.\n{KEYS[kind]}\n")
    patch, note = uncommitted_patch(changed.root)
    assert patch is None
    assert note.startswith("left out: a line looks like a password or a key")
    assert name in note
    assert max(KEYS[kind].split(), key=len) not in note


@pytest.mark.parametrize("line", HARMLESS)
def test_a_patch_with_what_only_resembles_a_key_is_kept(changed, line):
    changed.write("src/new.py", f"{line}\n")
    assert uncommitted_patch(changed.root)[1] == ""


def test_a_key_that_a_change_takes_away_or_stands_next_to_is_not_shown_either(changed):
    changed.write("src/a.py", f"print(1)\n{KEYS['GitLab']}\n")
    changed.commit()
    changed.write("src/a.py", "print(1)\n")
    assert uncommitted_patch(changed.root)[0] is None
    changed.write("src/a.py", f"print(2)\n{KEYS['GitLab']}\n")
    assert uncommitted_patch(changed.root)[0] is None


def test_a_key_far_into_a_long_line_is_found(changed):
    changed.write("src/a.json", json.dumps(["word"] * 5000 + [KEYS["GitHub"]]))
    assert uncommitted_patch(changed.root)[0] is None


@pytest.mark.parametrize("before", ["a file", "a link", "a pattern"])
def test_only_the_changed_files_get_into_a_patch_whatever_their_paths_match(changed, before):
    """git takes a path for a pattern, or for a folder with all that lies in it."""
    source = changed.root / "code"
    if before == "a pattern":
        changed.write("code/*", "1\n")
    elif before == "a link":
        source.symlink_to("src")
    else:
        changed.write("code", "1\n")
    changed.commit()
    if before == "a pattern":
        changed.write("code/*", "2\n")
    else:
        source.unlink()
    changed.write("code/.env", f"NAME={WORD}\n")
    changed.write("code/new.py", "print(3)\n")
    patch, note = uncommitted_patch(changed.root)
    assert note == ""
    assert "+print(3)" in patch
    assert WORD not in patch
    changed.git("stash", "--quiet", "--include-untracked")
    changed.write("patch", patch)
    changed.git("apply", "patch")
    assert (source / "new.py").read_text() == "print(3)\n"


@pytest.mark.fault(
    "An untracked `.env` or credentials file lies beside the source",
    "it gets into no patch",
)
@pytest.mark.parametrize(
    "name", [".env", "src/.env", "src/credentials.json", "secrets.toml", "id_rsa.py", ".aws/a.ini"]
)
def test_a_new_file_that_is_named_for_secrets_is_no_change_and_in_no_patch(changed, name):
    changed.git("checkout", "params.yaml")
    changed.write(name, f"name: {WORD}\n")
    assert commit_tags(changed.root)["git.dirty"] == "false"
    changed.write("params.yaml", "rate: 2\n")
    patch, note = uncommitted_patch(changed.root)
    assert note == ""
    assert WORD not in patch


@pytest.mark.fault(
    "git tracks an `.env`",
    "it is left out of the patch, which says so",
)
def test_a_file_for_secrets_that_git_tracks_is_left_out_of_the_patch_which_says_so(changed):
    changed.write("src/.env", f"NAME={WORD}\n")
    changed.git("add", "--force", "src/.env")
    patch, note = uncommitted_patch(changed.root)
    assert WORD not in patch
    assert "+rate: 2" in patch
    assert note == "without src/.env: such a file holds secrets"
    changed.git("checkout", "params.yaml")
    assert uncommitted_patch(changed.root) == (None, f"left out: {note}")
    assert commit_tags(changed.root)["git.dirty"] == "true"


def test_names_for_secrets():
    assert all(map(holds_secrets, ["a/server.PEM", ".ssh/config", ".env.local", "x/id_ed25519", ".netrc"]))
    assert not any(map(holds_secrets, ["src/environment.py", "src/keys.py", "stages/env/a.py", "dvc.yaml"]))


def test_a_record_from_before_shows_no_key(repository):
    repository.define({"a": {"cmd": "echo 1 > a.txt", "outs": ["a.txt"]}})
    (run,) = (stage.run_id for stage in repository.show().stages)
    client = repository.client()
    patch = f"diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n+{KEYS['GitHub']}\n"
    tags = {"where": f"https://me:{WORD}@example.org/x"}
    again = view(client, repository.root, read_lock(repository.root)["a"], Told(patch=patch, tags=tags))
    assert again != run
    shown = client.get_run(again)
    assert "provenn/changes.patch" not in repository.artifacts(shown)
    assert "a key" in shown.data.tags["provenn.patch"]
    assert shown.data.tags["where"] == "https://***@example.org/x"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://me:" + "pass@host:5000/x", "https://***@host:5000/x"),
        ("https://me:" + "p@a/s#s@host/x", "https://***@host/x"),
        ("to https://" + "token@host, or http://host", "to https://***@host, or http://host"),
        ('{"url": "ftp://me:' + '@host", "to": "a@b"}', '{"url": "ftp://***@host", "to": "a@b"}'),
        ("postgresql://host/x?user=me&pass" + "word=word&a=1", "postgresql://host/x?user=me&password=***&a=1"),
        ("https://host:5000/models@champion", "https://host:5000/models@champion"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
    ],
)
def test_an_address_is_shown_without_user_and_password(given, shown):
    assert shown_uri(given) == shown


@pytest.mark.fault(
    "The tracking URI holds a password",
    "no command prints it, and no log, tag or run holds it",
)
@pytest.mark.parametrize("command", [("sync",), ("lineage", "a"), ("ui",), ("repro",)])
def test_no_command_prints_the_password_of_the_tracking_uri(repository, command):
    stage = {"cmd": "python a.py", "outs": ["a.txt"]}
    script = "from provenn.record import track\nwith track():\n    open('a.txt', 'w').close()\n"
    repository.write("a.py", script)
    repository.define({"a": stage})
    repository.dvc("repro")
    uri = f"http://me:{WORD}@127.0.0.1:9"
    if command == ("repro",):
        repository.write("a.py", script + "\n")
        repository.define({"a": stage | {"deps": ["a.py"]}})
    printed = repository.provenn(*command, code=None, MLFLOW_TRACKING_URI=uri)
    said = printed.stdout + printed.stderr
    assert WORD not in said
    assert "http://***@127.0.0.1:9" in said
    logs = [path for path in (repository.root / ".dvc/tmp/provenn").rglob("*") if path.is_file()]
    assert not [path for path in logs if WORD in path.read_text(errors="replace")]


def test_a_report_names_the_store_without_its_password(repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.define({"a": {"cmd": "echo 1 > a.txt", "outs": ["a.txt"]}})
    repository.dvc_here("repro")
    client = repository.client()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"https://me:{WORD}@example.org")
    report = synchronise(repository.root, client=client)
    assert report.uri == "https://***@example.org"
    assert WORD not in json.dumps(report.as_dict())
