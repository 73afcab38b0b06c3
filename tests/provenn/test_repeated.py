"""Whether results came out again: `provenn repro` compares with what dvc.lock had for the same inputs."""

import pytest
from repository import Repository

from provenn.lock import recorded
from provenn.repro.repeated import compare

MAKE = "import sys; open('a', 'w').write(open('seed').read()); open('b', 'w').write('constant')"


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Repository:
    """A stage whose result depends on a file that it does not declare, one that reads it, and one that does not."""
    repository = Repository.make(tmp_path / "repository")
    repository.write("seed", "1")
    repository.write("input", "")
    repository.write(
        "dvc.yaml",
        {
            "stages": {
                "make": {"cmd": f'python -c "{MAKE}"', "deps": ["input"], "outs": ["a", "b"]},
                "follow": {"cmd": "cp a c", "deps": ["a"], "outs": ["c"]},
                "apart": {"cmd": "cat b b > d", "deps": ["b"], "outs": ["d"]},
            }
        },
    )
    repository.dvc("repro")
    monkeypatch.chdir(repository.root)
    return repository


def again(repository: Repository):
    before = recorded(repository.root, ["make", "follow", "apart"])
    repository.dvc("repro", "--force", "--no-run-cache")
    return compare(before, recorded(repository.root, before), ["make", "follow", "apart"])


def test_equal_bytes_came_out_again(repository):
    repetition = again(repository)
    assert repetition.same == ["make", "follow", "apart"]
    assert repetition.sentence == "3 results that dvc.lock had came out again, byte for byte."


def test_a_stage_that_does_not_repeat_itself_is_told_from_those_that_follow_it(repository):
    repository.write("seed", "2")
    repetition = again(repository)
    assert (repetition.different, repetition.following, repetition.same) == (["make"], ["follow"], ["apart"])
    assert repetition.sentence.startswith("1 of 3 results that dvc.lock had came out with other bytes")
    assert "make. 1 more follow" in repetition.sentence


def test_a_stage_whose_command_or_input_was_changed_is_no_repetition(repository):
    definition = (repository.root / "dvc.yaml").read_text()
    repository.write("dvc.yaml", definition.replace("cat b b > d", "cat b b > d && true"))
    repetition = again(repository)
    assert (repetition.same, repetition.different) == (["make", "follow"], [])


def test_repro_ends_with_it(repository):
    repository.write("seed", "2")
    for name in "abcd":
        (repository.root / name).unlink()
    repository.run("rm", "-r", ".dvc/cache")
    assert "1 of 3 results that dvc.lock had came out with other bytes" in repository.provenn("repro").stdout
