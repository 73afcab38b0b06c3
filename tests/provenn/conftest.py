"""What several tests of the tool share."""

from pathlib import Path
from unittest import mock

import pytest
import reported
from repository import Repository, once
from sleeping import prepare


@pytest.fixture
def sleeping(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository of sleeping stages, as the working folder."""
    prepare(repository)
    for name in ("NOTES", "PATH"):
        monkeypatch.setenv(name, repository._environment()[name])
    return repository


@pytest.fixture
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracking that takes no time, for tests of what runs."""
    monkeypatch.setattr("provenn.repro.runner.Tracking", mock.MagicMock(**{"return_value.begin.return_value": {}}))


@pytest.fixture
def changing(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The repository of `reported`, as the working folder."""
    made = Repository(once(tmp_path_factory, "reported", reported.make)).copy(tmp_path / "repository")
    monkeypatch.chdir(made.root)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return made
