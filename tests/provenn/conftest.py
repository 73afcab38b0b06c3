"""What several tests of the tool share."""

from unittest import mock

import pytest
from repository import Repository
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
