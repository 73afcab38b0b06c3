"""What holds for every test."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from repository import Repository, once

# The same examples at every run, and none too slow on a loaded machine; `--hypothesis-profile=default` draws new ones.
hypothesis.settings.load_profile("ci")
pytest_plugins = ["reliability"]
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
for name in ("DVC_ROOT", "DVC_STAGE", "MLFLOW_TRACKING_URI"):
    os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """What a test, or MLflow in it, sets in the environment ends with it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def own_torch() -> Iterator[None]:
    """What `make_deterministic` sets for the whole process ends with the test.

    Denormals that stay flushed break whatever runs next: hypothesis draws floats down to 5e-324.
    """
    torch = sys.modules.get("torch")  # provenn's own tests do without
    threads = torch.get_num_threads() if torch else 0
    yield
    if torch:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode("default")
        torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new MLflow store, whose migrations take seconds: to be copied."""
    from provenn.view.store import DATABASE, open_embedded

    return once(tmp_path_factory, "empty_store", lambda folder: open_embedded(folder / "mlruns" / DATABASE)) / "mlruns"


@pytest.fixture(scope="session")
def empty_repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """An empty DVC repository in git: to be copied."""
    return Repository(once(tmp_path_factory, "empty_repository", Repository.make))


@pytest.fixture
def repository(
    tmp_path: Path, empty_repository: Repository, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Repository:
    """An empty DVC repository in git, with a store, as the working folder."""
    made = empty_repository.copy(tmp_path / "repository")
    shutil.copytree(empty_store, made.root / "mlruns")
    made.write("mlruns/.gitignore", "*\n")
    monkeypatch.chdir(made.root)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "repository-site"))
    return made
