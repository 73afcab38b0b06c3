"""Fifty kills at random moments of random processes, and then one repro."""

import random
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from kills import at_work, kind, wait_until_gone
from repository import Repository
from sleeping import prepare, stage

pytestmark = pytest.mark.slow

KILLS = 50
STAGES = {
    "late": stage("late", 1.5, ("in.csv",)),
    "early": stage("early", 0.2, ("in.csv",)),
    "left": stage("left", 0.5, ("early.txt",), ("models/left.txt", "left_history.txt")),
    "right": stage("right", 0.5, ("early.txt",), ("models/right.txt",)),
    "judge": stage("judge", 0.2, ("models",)),
    "end": stage("end", 0.2, ("judge.txt", "late.txt")),
}


def outputs(repository: Repository) -> dict[str, bytes]:
    paths = [path for name in STAGES for path in STAGES[name]["outs"]]
    return {path: (repository.root / path).read_bytes() for path in ["dvc.lock", *paths]}


def kill_one(repository: Repository, chance: random.Random) -> bool:
    """Kill a random process of a random kind; return whether there was one."""
    kinds: dict[str, list[psutil.Process]] = {}
    for process in at_work(repository):
        try:
            kinds.setdefault(kind(process), []).append(process)
        except psutil.Error:
            continue
    kinds.pop("writer", None)
    if not kinds:
        return False
    victim = chance.choice(kinds[chance.choice(sorted(kinds))])
    victim.kill()
    return True


@pytest.mark.fault(
    "50 times kill -9 of a random process (runner, supervisor, DVC, training) at random moments",
    "nothing is left running, and one `provenn repro` ends with the outputs and the dvc.lock of an undisturbed run",
)
def test_after_many_kills_one_repro_ends_as_if_nothing_had_been(sleeping, tmp_path):
    chance = random.Random(7)
    sleeping.define(STAGES)
    runner: subprocess.Popen[str] | None = None
    killed = version = 0
    while killed < KILLS:
        if runner is None or runner.poll() is not None:
            if runner:
                runner.communicate()
                if runner.returncode == 0:  # nothing is left to do
                    version += 1
            sleeping.write("in.csv", f"{version}\n")
            runner = sleeping.start("provenn", "repro", "-j", "3")
        time.sleep(chance.uniform(0, 2))
        killed += kill_one(sleeping, chance)
    assert runner
    runner.kill()
    runner.communicate()
    wait_until_gone(sleeping)
    sleeping.write("in.csv", "the last\n")
    sleeping.provenn("repro", "-j", "3")
    other = prepare(Repository.make(tmp_path / "other"))
    other.write("in.csv", "the last\n")
    other.define(STAGES)
    other.dvc("repro")
    assert outputs(sleeping) == outputs(other)
    # A DVC that was killed may have left half of what it was writing to its cache.
    sleeping.provenn("gc", "--force")
    assert not list(Path(sleeping.root).rglob("*.tmp"))
    assert outputs(sleeping) == outputs(other)
    wait_until_gone(sleeping)
