"""What stages on other machines are made of: sources as one file, entries of dvc.lock, resources, addresses."""

import io
import json
import sys
from pathlib import Path

import pytest
from repository import Repository

from provenn.files import UserError, digest
from provenn.repro.engines import node
from provenn.repro.engines.connect import open_engine
from provenn.repro.engines.dispatch import _identity
from provenn.repro.engines.lock_entry import _as_dvc_does, with_entry
from provenn.repro.engines.sources import find_sources, lay_out
from provenn.repro.plan import open_repository
from provenn.resources import Resources, held_to, resources_of

ENTRY = """schema: '2.0'
stages:
  train@{name}:
    cmd:
    - python train.py
    - "echo 'a: b'\\n\\n  two"
    params:
      params.yaml:
        rate: 1e-05
        text: |-
          one

          two
    outs:
    - path: {out}
      md5: d41d8cd98f00b204e9800998ecf8427e
"""


def entry(name: str, out: str = "model") -> str:
    return ENTRY.format(name=name, out=out)


@pytest.mark.parametrize(
    ("present", "more"),
    [
        ("", "a"),
        (entry("a"), "b"),
        (entry("a"), "a"),
        (with_entry(entry("a"), entry("b", "other")), "a"),
        (entry("a") + "datasets:\n- name: one\n", "b"),
        ("datasets:\n- name: one\n" + entry("a"), "b"),
        ("schema: '2.0'\n", "a"),
        ("schema: '2.0'\nstages:\n    train@a:\n        cmd: indented otherwise\n", "b"),
        ("schema: '2.0'\nstages: {train@a: {cmd: in one line}}\n", "b"),
    ],
)
def test_an_entry_is_put_into_a_lock_as_dvc_puts_it_there(present, more):
    new = entry(more, "new")
    assert with_entry(present, new) == (_as_dvc_does(present, new) if present else new)


@pytest.fixture
def written(repository: Repository) -> Repository:
    repository.write(".gitignore", "*.secret\n/data\n")
    repository.write("src/run.sh", "echo\n").chmod(0o755)
    repository.write("kept.txt", "tracked")
    (repository.root / "link").symlink_to("kept.txt")
    repository.define({"one": {"cmd": "true", "metrics": [{"made.json": {"cache": False}}]}})
    for unseen in ("made.json", "data/table", "a.secret", ".dvc/config.local"):
        repository.write(unseen, "# never travels\n")
    repository.write("dvc.lock", entry("one"))
    repository.commit()
    repository.write("new.py", "")
    repository.write(".env", "PASSWORD=1")
    return repository


def test_what_travels_is_what_a_person_wrote_and_no_secret(written):
    with open_repository(written.root) as repo:
        files = find_sources(repo).files
    expected = {".gitignore", "src/run.sh", "kept.txt", "link", "dvc.yaml", "new.py"}
    assert expected <= files
    assert {name for name in files - expected if not name.startswith(".dvc")} == set()
    assert not any("local" in name or "tmp" in name for name in files)


def test_the_same_files_are_the_same_bytes_and_come_out_as_they_were(written, tmp_path):
    archives = []
    with open_repository(written.root) as repo:
        sources = find_sources(repo)
        for number in "12":
            archives.append(tmp_path / number)
            sources.pack(archives[-1])
            (written.root / "kept.txt").touch()
    assert digest(archives[0]) == digest(archives[1])

    folder = tmp_path / "laid"
    for left in ("left/over", "input/kept", "src/left", "kept.txt/was/a/folder"):
        (folder / left).parent.mkdir(parents=True, exist_ok=True)
        (folder / left).write_text("from before")
    lay_out(archives[0], folder, ["input"])
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    assert found == sources.files | {"input/kept"}
    assert (folder / "src/run.sh").stat().st_mode & 0o111
    assert (folder / "link").readlink() == Path("kept.txt")


def test_two_clones_are_told_apart_and_one_stays_the_same(tmp_path):
    first = _identity(tmp_path / "a")
    assert _identity(tmp_path / "a") == first != _identity(tmp_path / "b")


def test_a_job_whose_end_is_asked_for_before_it_has_a_process_is_ended(tmp_path, monkeypatch):
    class Process:
        def __init__(self, *args: object, **options: object) -> None:
            self.stdin = io.BytesIO()
            node.stop_job("early")

        def wait(self) -> int:
            return 0 if self.stdin.getvalue() else node.TRANSPORT_FAILED

    monkeypatch.setattr(node.subprocess, "Popen", Process)
    job = json.dumps({"key": "early", "node": str(tmp_path), "repository": "one", "sent": 0.0})
    for _ in range(2):  # again, for the same job may be handed over later
        assert json.loads(node.run_job(job))["outcome"] == "failed"


def test_resources_are_what_the_meta_of_a_stage_says():
    meta = {"provenn": {"cpus": 2, "gpus": 0.5, "memory": "1.5 GiB", "tags": {"other": "field"}}}
    found = resources_of("train", meta)
    assert (found.cpus, found.gpus, found.memory_bytes) == (2, 0.5, 3 * 2**29)
    assert Resources(memory="4 GB").memory_bytes == 4 * 10**9
    assert resources_of("train", None) == Resources()
    assert held_to("avx2", found).platform == "avx2"
    for own in ({"portable": True}, {"platform": "avx512"}):
        assert held_to("avx2", Resources(**own)) == Resources(**own)
    with pytest.raises(UserError, match="--platform: "):
        held_to("GPU", found)
    with pytest.raises(UserError, match=r"stage train: meta\.provenn\.memory"):
        resources_of("train", {"provenn": {"memory": "much"}})


@pytest.mark.parametrize(("address", "extra"), [("dask://host:1", "dask"), ("local", "dask"), ("ray", "ray")])
def test_a_missing_extra_is_one_sentence(address, extra, monkeypatch):
    for package in ("distributed", "dask", "ray"):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.delitem(sys.modules, f"provenn.repro.engines.{package}", raising=False)
    with pytest.raises(UserError, match=rf"pip install 'provenn\[{extra}\]'"):
        open_engine(address, 1, "", print)


def test_a_cluster_of_ray_that_never_starts_a_client_server_is_one_sentence(monkeypatch):
    ray = pytest.importorskip("ray")

    def init(*arguments: object, **options: object) -> None:
        raise ConnectionAbortedError("Initialization failure from server:\nTraceback:\nRuntimeError: it failed.\n")

    monkeypatch.setattr(ray, "init", init)
    notes: list[str] = []
    with pytest.raises(UserError, match=r"^ray://host:1 could not start .*, 4 times: RuntimeError: it failed\.$"):
        open_engine("ray://host:1", 1, "", notes.append)
    assert len(notes) == 3
