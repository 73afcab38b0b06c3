"""What several tests of the tool share."""

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
