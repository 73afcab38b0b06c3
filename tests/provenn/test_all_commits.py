"""Git's history in MLflow: what a clone without any data can show, and what completes it."""

import shutil

import pytest
from repository import Repository

from provenn.view.sync import synchronise

STAGE = {
    "cmd": "echo '{\"twice\": '$((2 * ${n}))'}' > m.json; echo ${n} > o.bin",
    "params": ["n"],
    "metrics": [{"m.json": {"cache": False}}],
    "plots": ["o.bin"],
}


def history(repository: Repository, numbers: tuple[int, ...]) -> list[str]:
    """Commit a result a number; return the commits."""
    commits = []
    for number in numbers:
        repository.write("params.yaml", f"n: {number}\n")
        repository.define({"make": STAGE})
        repository.dvc_here("repro")
        commits.append(repository.commit())
    return commits


@pytest.mark.parametrize("folder", [".", "projects/one"])
def test_a_clone_without_data_shows_what_git_holds_and_data_completes_exactly_the_partial_runs(
    folder, repository, tmp_path, empty_store
):
    made = repository if folder == "." else Repository.make(tmp_path / "top", folder=folder)
    commits = history(made, (1, 2))
    repository.run("git", "clone", "--quiet", str(tmp_path / ("repository" if folder == "." else "top")), "../clone")
    clone = Repository(tmp_path / "clone" / folder)
    shutil.copytree(empty_store, clone.root / "mlruns")
    synchronise(clone.root, all_commits=True)
    shown = {run.data.tags["git.commit"]: (run.data.params, run.data.metrics) for run in clone.runs()}
    assert shown == {commit: ({"n": str(n)}, {"twice": 2 * n}) for n, commit in enumerate(commits, 1)}
    assert {run.data.tags["provenn.partial"] for run in clone.runs()} == {"nowhere: o.bin"}
    shutil.copytree(made.root / ".dvc/cache", clone.root / ".dvc/cache")
    report = synchronise(clone.root, all_commits=True)
    assert report.created == 2
    assert [("provenn.partial" in run.data.tags, "o.bin" in clone.artifacts(run)) for run in clone.runs()] == [
        (False, True)
    ] * 2


def test_a_commit_whose_lock_or_declaration_is_broken_does_not_hide_the_others(repository):
    (good,) = history(repository, (1,))
    lock = (repository.root / "dvc.lock").read_text()
    repository.write("dvc.lock", f"<<<<<<< HEAD\n{lock}=======\n{lock}>>>>>>> other\n")
    repository.commit()
    repository.write("dvc.lock", lock.replace("n: 1", "n: 7"))
    repository.define({"make": STAGE | {"meta": {"provenn": {"nme": "x"}}}})
    mistaken = repository.commit()
    history(repository, (2,))
    synchronise(repository.root, all_commits=True)
    assert {good, mistaken} < {run.data.tags["git.commit"] for run in repository.runs()}
