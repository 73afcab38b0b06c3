"""`provenn gc`: every commit and experiment keeps all that it needs, the rest goes, and nothing goes unasked."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import Repository, once
from servers import Server

from provenn.definitions import open_dvc
from provenn.exclusive import only_one
from provenn.files import UserError
from provenn.garbage.collect import Report, collect
from provenn.trust.lineage import trace
from provenn.trust.verify import find_damage
from provenn.view.sync import synchronise

pytestmark = pytest.mark.slow
STAGES = {
    "prepare": {
        "cmd": "mkdir -p data; cp raw.csv data/a; echo ${n} > data/b",
        "deps": ["raw.csv"],
        "params": ["n"],
        "outs": ["data"],
    },
    "train": {
        "cmd": "(seq 20000; cat data/b) > model.txt; echo '{\"loss\": '${n}'}' > metrics.json",
        "deps": ["data"],
        "outs": ["model.txt"],
        "metrics": [{"metrics.json": {"cache": False}}],
    },
}
MODEL = {"net": {"path": "model.txt", "type": "model"}}


def begin(repository: Repository) -> str:
    """Define the pipeline and commit its first result, of n = 1."""
    repository.write(".gitignore", "/mlruns\n")
    repository.write("raw.csv", "1,2\n")
    repository.dvc_here("add", "--quiet", "raw.csv")
    repository.define(STAGES, artifacts=MODEL)
    return result(repository, 1)


def result(repository: Repository, n: int, message: str | None = "Result") -> str:
    """Make the result of a number, show it, and commit it unless there is no message; return the commit."""
    repository.write("params.yaml", f"n: {n}\n")
    repository.show()
    return repository.commit(message) if message else ""


def lived_in(root: Path) -> None:
    """Make a repository with results of commits, a merged branch, experiments, a stash, and of nothing any more."""
    repository = Repository.make(root)
    begin(repository)
    repository.git("checkout", "--quiet", "-b", "side")
    result(repository, 2)
    repository.git("checkout", "--quiet", "main")
    result(repository, 3)
    repository.git("merge", "--quiet", "-s", "ours", "side")
    repository.git("branch", "-D", "side")
    result(repository, 4)
    repository.git("reset", "--quiet", "--hard", "HEAD~")  # of 4 only git's reflog knows
    repository.dvc("exp", "run", "--name", "kept", "-S", "n=5")
    synchronise(repository.root)
    repository.dvc("exp", "run", "--name", "gone", "-S", "n=6")
    synchronise(repository.root)
    repository.dvc_here("exp", "remove", "gone")
    for n in (7, 8):
        result(repository, n, None)
        repository.git("stash", "--quiet")
    result(repository, 9, None)
    repository.git("checkout", "--quiet", ".")
    repository.dvc_here("checkout", "--quiet", "--force")
    synchronise(repository.root)


@pytest.fixture
def lived(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A copy of such a repository, as the working folder."""
    made = Repository(once(tmp_path_factory, "lived_in", lived_in)).copy(tmp_path / "repository")
    monkeypatch.chdir(made.root)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "repository-site"))
    return made


def numbers(repository: Repository) -> list[int]:
    """Return the numbers whose models are in DVC's cache."""
    objects = (repository.root / ".dvc/cache/files/md5").glob("??/*")
    models = [file.read_text().split() for file in objects if file.stat().st_size > 10_000]
    return sorted(int(lines[-1]) for lines in models)


def shown(repository: Repository) -> list[int]:
    """Return the numbers of the models that MLflow shows."""
    runs = [run for run in repository.runs() if run.data.tags["dvc.stage"] == "train"]
    return sorted(int(run.data.metrics["loss"]) for run in runs)


def counts(report: Report) -> dict[str, int]:
    """Return how many there are of each kind of which there is something."""
    return {found.kind: len(found.items) for found in report.garbage if found.items}


def contents(*folders: Path) -> dict[str, bytes]:
    """Return all files in folders."""
    return {str(file): file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()}


def test_what_commits_experiments_and_stashes_need_stays_and_works_and_the_rest_goes(lived):
    assert numbers(lived) == shown(lived) == list(range(1, 10))
    places = [lived.root / ".dvc/cache", lived.root / "mlruns", lived.root / ".dvc/tmp/provenn/records"]
    before = contents(*places)
    said = json.loads(lived.provenn("gc", "--json").stdout)
    assert not said["removed"]
    assert {one["kind"]: one["count"] for one in said["garbage"] if one["count"]} == {
        "MLflow runs whose result nothing names": 6,
        "entries of DVC's run cache": 6,
        "objects in DVC's cache": 12,  # of 4, 6 and 9: the model, its metrics for the run cache, data/b and data
    }
    assert contents(*places) == before
    table = lived.provenn("gc", "--force").stdout
    assert "Removed" in table
    assert numbers(lived) == shown(lived) == [1, 2, 3, 5, 7, 8]
    assert list(find_damage(lived.root)) == []
    assert counts(collect(lived.root, force=False)) == {}
    commits = lived.git("rev-list", "--all").split()
    for commit in commits:
        lived.git("checkout", "--quiet", "--force", commit)
        if not (lived.root / "dvc.lock").is_file():
            continue
        lived.dvc_here("checkout", "--quiet", "--force")
        n = (lived.root / "params.yaml").read_text().split()[-1]
        assert (lived.root / "model.txt").read_text().split()[-1] == n
        assert (lived.root / "data/b").read_text().strip() == n
        chain = trace("model.txt", lived.root)
        assert chain["run"], "MLflow shows each"
        assert "up to date" in lived.dvc_here("status")
    lived.git("checkout", "--quiet", "--force", "main")
    lived.dvc_here("checkout", "--quiet", "--force")
    lived.dvc_here("exp", "apply", "kept")
    assert (lived.root / "model.txt").read_text().split()[-1] == "5"


def test_what_is_restored_from_the_run_cache_still_is(lived):
    collect(lived.root, force=True)
    lived.write("params.yaml", "n: 2\n")
    assert lived.dvc("repro").count("is cached - skipping run") == 2
    lived.write("params.yaml", "n: 9\n")
    assert "is cached" not in lived.dvc("repro")


def test_what_is_not_committed_yet_survives(lived):
    lived.write("queued.bin", "q" * 20_000 + " 12")
    lived.dvc_here("add", "--quiet", "queued.bin")
    lived.git("add", "queued.bin.dvc", ".gitignore")
    lived.dvc("exp", "run", "--queue", "-S", "n=12")
    lived.git("rm", "--quiet", "-f", "queued.bin.dvc")
    (lived.root / "raw.csv").unlink()
    lived.write("raw.csv", "edited, and in no cache\n")
    lived.write("new.bin", "n" * 20_000 + " 10")
    lived.dvc_here("add", "--quiet", "new.bin")
    lived.write("staged.bin", "s" * 20_000 + " 11")
    lived.dvc_here("add", "--quiet", "staged.bin")
    lived.git("add", "staged.bin.dvc")
    (lived.root / "staged.bin.dvc").unlink()
    collect(lived.root, force=True)
    assert (lived.root / "raw.csv").read_text() == "edited, and in no cache\n"
    assert numbers(lived) == [1, 2, 3, 5, 7, 8, 10, 11, 12]
    lived.git("restore", "staged.bin.dvc")
    for name in ("new.bin", "staged.bin"):
        (lived.root / name).unlink()
        lived.dvc_here("checkout", "--quiet", name)
        assert (lived.root / name).is_file()


def test_an_output_that_is_a_link_into_the_cache_keeps_its_object(lived):
    lived.dvc_here("config", "cache.type", "symlink")
    result(lived, 9, None)
    assert (lived.root / "model.txt").is_symlink()
    lived.git("checkout", "dvc.lock", "params.yaml")
    collect(lived.root, force=True)
    assert (lived.root / "model.txt").read_text().split()[-1] == "9"
    assert 4 not in numbers(lived)


def test_runs_that_somebody_holds_on_to_stay_with_what_they_show(lived):
    client = lived.client()
    of = {run.data.metrics["loss"]: run for run in lived.runs() if run.data.tags["dvc.stage"] == "train"}
    versions = {version.version: version for version in client.search_model_versions("name = 'net'")}
    assert len(versions) == 9
    by_run = {version.run_id: version for version in versions.values()}
    client.set_tag(of[4].info.run_id, "provenn.keep", "the paper")
    client.set_registered_model_alias("net", "rollback", by_run[of[6].info.run_id].version)
    foreign = client.create_run("0", run_name="by hand").info.run_id
    deleted = client.create_run("0", run_name="deleted in the UI").info.run_id
    client.log_text(deleted, "x" * 50_000, "notes.txt")
    client.delete_run(deleted)
    report = collect(lived.root, force=True)
    assert counts(report)["MLflow runs and models that were deleted"] == 1
    assert shown(lived) == numbers(lived) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert client.get_run(foreign).info.lifecycle_stage == "active"
    left = client.search_model_versions("name = 'net'")
    assert {version.run_id for version in left} == {of[n].info.run_id for n in range(1, 9)}
    assert not list((lived.root / "mlruns").rglob("notes.txt"))


@pytest.mark.fault(
    "`provenn gc` is interrupted at any step", "all that is needed is whole; the next gc removes the rest"
)
@pytest.mark.parametrize("steps", [0, 1, 4, 9, 14, 25])
def test_an_interrupted_gc_leaves_everything_usable_and_the_next_one_ends_it(lived, monkeypatch, steps):
    left = steps

    def limited(original):
        def wrapped(*arguments, **options):
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            return original(*arguments, **options)

        return wrapped

    with monkeypatch.context() as patched:
        from mlflow import MlflowClient

        for owner, name in ((Path, "unlink"), (Path, "replace"), (MlflowClient, "delete_run"), (shutil, "rmtree")):
            patched.setattr(owner, name, limited(getattr(owner, name)))
        with pytest.raises(KeyboardInterrupt):
            collect(lived.root, force=True)
    assert list(find_damage(lived.root)) == []
    lived.write("params.yaml", "n: 9\n")
    lived.dvc_here("repro")
    assert (lived.root / "model.txt").read_text().split()[-1] == "9"
    lived.git("checkout", "--quiet", ".")
    lived.dvc_here("checkout", "--quiet", "--force")
    collect(lived.root, force=True)
    assert numbers(lived) == shown(lived) == [1, 2, 3, 5, 7, 8]


@pytest.mark.fault(
    "`provenn gc` while stages run, DVC works or an experiment is under way", "it refuses, in a sentence"
)
def test_it_does_not_run_beside_others(lived):
    with only_one(lived.root, "repro"), pytest.raises(UserError, match="`provenn repro` is running already"):
        collect(lived.root, force=True)
    with open_dvc(lived.root) as repo, repo.lock, pytest.raises(UserError, match=r"DVC's lock of .* is held"):
        collect(lived.root, force=True)
    copy = lived.root / ".dvc/tmp/exps/standalone/tmpabc"
    copy.mkdir(parents=True)
    with pytest.raises(UserError, match=r"an experiment is at work in \.dvc/tmp/exps/standalone/tmpabc"):
        collect(lived.root, force=True)
    assert numbers(lived) == list(range(1, 10))


@pytest.mark.fault(
    "DVC is killed while it writes to its cache", "`provenn gc --force` removes what it left there, and nothing else"
)
def test_what_a_killed_dvc_left_in_its_cache_goes(lived):
    collect(lived.root, force=True)
    cache = lived.root / ".dvc/cache"
    before = contents(cache)
    whole = next((cache / "runs").glob("??/*/*"))
    half_object = next((cache / "files/md5").glob("??/*")).with_name(".ZedtoQN0rwMPX6hciKWv8w.tmp")
    half_object.write_bytes(b"a" * 20_000)
    for name, content in ((".-AbCdtoQN0rwMPX6hciKW_.tmp", whole.read_bytes()), (".empty0N0rwMPX6hciKWv8w.tmp", b"")):
        whole.with_name(name).write_bytes(content)
    report = collect(lived.root, force=True)
    assert counts(report) == {"entries of DVC's run cache": 2, "objects in DVC's cache": 1}
    assert contents(cache) == before
    assert numbers(lived) == shown(lived) == [1, 2, 3, 5, 7, 8]


@pytest.mark.fault("Part of git's history is lost or unreadable", "`provenn gc` removes nothing and says why")
def test_a_history_that_cannot_be_read_stops_it(lived):
    blob = lived.git("rev-parse", "HEAD~:dvc.lock")
    (lived.root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(UserError, match="so nothing is removed"):
        collect(lived.root, force=True)
    shutil.move(lived.root / ".git/HEAD", lived.root / ".git/HEAD.lost")
    with pytest.raises(UserError, match="so nothing is removed"):
        collect(lived.root, force=True)
    assert numbers(lived) == list(range(1, 10))


@pytest.mark.fault("A lock of some commit is cut or in conflict", "`provenn gc` keeps every object that it still names")
def test_a_lock_that_cannot_be_parsed_keeps_what_it_names(lived):
    result(lived, 4, None)
    lock = lived.root / "dvc.lock"
    lock.write_text("<<<<<<< HEAD\n" + lock.read_text() + "=======\n")
    lived.commit("Broken")
    lived.git("checkout", "--quiet", "HEAD~", "--", ".")
    collect(lived.root, force=True)
    assert numbers(lived) == [1, 2, 3, 4, 5, 7, 8]


@pytest.mark.parametrize("git", [True, False])
def test_a_repository_without_a_commit_or_git_keeps_what_its_folder_names(tmp_path, git):
    repository = Repository.make(tmp_path / "new", git=git)
    assert counts(collect(repository.root, force=True)) == {}
    for text in ("old", "new"):
        repository.write("data.csv", text)
        repository.dvc_here("add", "--quiet", "data.csv")
    assert counts(collect(repository.root, force=True)) == {"objects in DVC's cache": 1}
    assert "up to date" in repository.dvc("status")


def test_a_cache_that_others_may_share_is_left_alone(lived, tmp_path):
    shutil.move(lived.root / ".dvc/cache", tmp_path / "shared")
    lived.dvc_here("config", "cache.dir", str(tmp_path / "shared"))
    before = contents(tmp_path / "shared")
    report = collect(lived.root, force=True)
    assert "it lies outside of the repository" in report.notes[0]
    assert contents(tmp_path / "shared") == before
    assert shown(lived) == [1, 2, 3, 5, 7, 8]


def test_results_of_stages_that_work_in_other_folders_and_of_nested_projects_stay(tmp_path):
    repository = Repository.make(tmp_path / "top")
    for folder in ("a", "b/c"):
        repository.write(f"{folder}/dvc.yaml", {"stages": {"make": {"cmd": "echo 1 > out", "outs": ["out"]}}})
        repository.dvc_here("repro", folder=folder)
    repository.write("work/in.txt", "1")
    repository.define({"there": {"wdir": "work", "cmd": "cp in.txt out", "deps": ["in.txt"], "outs": ["out"]}})
    repository.show()
    assert len(repository.runs()) == 3
    assert counts(collect(repository.root, force=True)) == {}
    for file in repository.root.rglob("dvc.lock"):
        file.unlink()
    assert counts(collect(repository.root, force=False))["MLflow runs whose result nothing names"] == 3


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A tracking server of MLflow."""
    made = Server.over(f"sqlite:///{tmp_path}/server.db", tmp_path / "server")
    yield made
    made.kill()


def test_on_a_server_only_what_was_made_here_is_marked_as_deleted(repository, server, monkeypatch):
    begin(repository)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    variables = {"MLFLOW_TRACKING_URI": server.uri}
    for n in (2, 3):
        repository.write("params.yaml", f"n: {n}\n")
        repository.provenn("repro", **variables)
    repository.commit()
    result(repository, 4, None)  # without a record: it might be anybody's
    repository.git("checkout", "--quiet", ".")
    repository.dvc_here("checkout", "--quiet", "--force")
    client = repository.client(server.uri)
    for version in client.search_model_versions("name = 'net'"):
        client.delete_model_version("net", version.version)
    report = collect(repository.root, force=True)
    assert f"Runs in {server.uri} are only marked as deleted" in report.notes[0]
    runs = [run for run in repository.runs(server.uri) if run.data.tags["dvc.stage"] == "train"]
    assert sorted(run.data.metrics["loss"] for run in runs) == [3, 4]
    assert numbers(repository) == [1, 3]


def test_twenty_experiments_grow_by_what_they_hold_and_all_of_it_comes_back(repository):
    begin(repository)
    collect(repository.root, force=True)

    database = repository.root / "mlruns/mlflow.db"

    def size() -> int:
        files = contents(repository.root / ".dvc/cache", repository.root / "mlruns")
        return sum(map(len, files.values())) - database.stat().st_size

    one, tables, model = size(), database.stat().st_size, (repository.root / "model.txt").stat().st_size
    for n in range(2, 22):
        repository.dvc_here("exp", "run", "--name", f"e{n}", "-S", f"n={n}")
        synchronise(repository.root)
    files, rows = (size() - one) / 20, (database.stat().st_size - tables) / 20
    print(f"an experiment: {files:,.0f} bytes of files, 2 x {model:,} of them the model's, and {rows:,.0f} of database")
    assert 2 * model < files < 2 * model + 5_000
    assert rows < 10_000
    assert counts(collect(repository.root, force=True)) == {}
    repository.git("checkout", "--quiet", ".")
    repository.dvc_here("checkout", "--quiet", "--force")
    synchronise(repository.root)
    repository.dvc_here("exp", "remove", "-A")
    collect(repository.root, force=True)
    print(f"after gc: {size() - one:,} bytes of files, {database.stat().st_size - tables:,} of database")
    assert size() == one
    assert database.stat().st_size < 1.1 * tables  # MLflow keeps names of datasets, and numbers of deleted versions
    assert numbers(repository) == shown(repository) == [1]
