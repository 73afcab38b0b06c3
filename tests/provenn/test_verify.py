"""Damage of every kind, made for real: found by its digest, healed by one command."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from reliability import fault
from repository import Repository, once

pytestmark = pytest.mark.slow
STAGES = {
    "prepare": {"cmd": "mkdir -p data; echo 1 > data/a; echo 2 > data/b", "deps": ["raw.csv"], "outs": ["data"]},
    "train": {
        "cmd": "cat data/a data/b > model.txt; echo '{\"loss\": 1}' > metrics.json",
        "deps": ["data"],
        "outs": ["model.txt"],
        "metrics": [{"metrics.json": {"cache": False}}],
    },
}


def undamaged(root: Path) -> None:
    """Make a repository with tracked data and two stages, everything done, shown and committed."""
    repository = Repository.make(root)
    repository.write("raw.csv", "1,2\n")
    repository.dvc_here("add", "--quiet", "raw.csv")
    repository.define(STAGES)
    repository.provenn("repro")
    repository.provenn("sync")
    repository.commit("Results")


@pytest.fixture
def whole(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A copy of such a repository."""
    return Repository(once(tmp_path_factory, "undamaged", undamaged)).copy(tmp_path / "repository")


def cached(repository: Repository, path: str) -> list[str]:
    """Return the objects in the cache that hold a file, as paths."""
    content = (repository.root / path).read_bytes()
    objects = (repository.root / ".dvc/cache/files").rglob("*")
    return [
        str(file.relative_to(repository.root)) for file in objects if file.is_file() and file.read_bytes() == content
    ]


def overwrite(repository: Repository, path: str, content: str) -> None:
    """Change a file, were it read-only."""
    file = repository.root / path
    file.chmod(0o644)
    file.write_text(content)


def truncate_object(repository: Repository) -> None:
    """Cut the cached model, and lose the one in the working folder."""
    for path in cached(repository, "model.txt"):
        overwrite(repository, path, "1")
    (repository.root / "model.txt").unlink()


def cut_run_cache(repository: Repository) -> None:
    """Cut every entry of the run cache."""
    for file in (repository.root / ".dvc/cache/runs").glob("??/*/*"):
        overwrite(repository, str(file.relative_to(repository.root)), "cmd: ech")


def lose_the_store(repository: Repository) -> None:
    """Delete MLflow's store."""
    shutil.rmtree(repository.root / "mlruns")


DAMAGES: dict[str, tuple[Callable[[Repository], object], str]] = {
    "An object in the cache is cut": (truncate_object, "cache"),
    "An object in the cache is altered": (lambda made: overwrite(made, cached(made, "data/a")[0], "9\n"), "cache"),
    "All entries of the run cache are cut": (cut_run_cache, "run cache"),
    "An output is lost": (lambda made: (made.root / "model.txt").unlink(), "working folder"),
    "An output folder is lost": (lambda made: shutil.rmtree(made.root / "data"), "working folder"),
    "An output is altered by hand": (lambda made: overwrite(made, "model.txt", "9"), "working folder"),
    "A metric that git keeps is altered": (lambda made: overwrite(made, "metrics.json", "{}"), "working folder"),
    "Data that DVC tracks are altered": (lambda made: overwrite(made, "raw.csv", "3,4\n"), "working folder"),
    "A file is added to an output folder": (lambda made: made.write("data/c", "new"), "working folder"),
    "MLflow's store is lost": (lose_the_store, "MLflow"),
}
HEALED = "`provenn verify` names it, `provenn verify --fix` heals it; what was in the way is set aside"


@pytest.mark.parametrize("name", [pytest.param(name, marks=fault(name, HEALED), id=name) for name in DAMAGES])
def test_damage_is_found_and_healed_and_nothing_is_lost(whole, name):
    damage, place = DAMAGES[name]
    lock = (whole.root / "dvc.lock").read_bytes()
    damage(whole)
    found = json.loads(whole.provenn("verify", "--json", code=1).stdout)["damaged"]
    assert place in {one["place"] for one in found}
    assert all(one["heal"] for one in found)
    assert "Nothing is damaged." in whole.provenn("verify", "--fix").stdout
    assert (whole.root / "model.txt").read_text() == "1\n2\n"
    assert (whole.root / "raw.csv").read_text() == "1,2\n"
    assert (whole.root / "dvc.lock").read_bytes() == lock
    in_the_way = [one["file"] for one in found if one["file"]]
    aside = [file for file in (whole.root / ".dvc/tmp/provenn/damaged").rglob("*") if file.is_file()]
    assert bool(aside) == bool(in_the_way)


def test_a_lock_that_cannot_be_read_is_named_with_its_cure(whole):
    overwrite(whole, "dvc.lock", "schema: '2.0'\nstages:\n  train: {cmd")
    said = whole.provenn("verify", code=1).stdout
    assert "lock: dvc.lock cannot be read" in said
    assert "git checkout dvc.lock" in said


def test_what_is_whole_is_called_so(whole):
    assert whole.provenn("verify").stdout == "Nothing is damaged.\n"
