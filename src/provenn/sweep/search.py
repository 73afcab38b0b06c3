"""What is asked of a sweep, as one value with a name: asked the same again, it goes on."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from provenn.definitions import address, read_stages
from provenn.entry import Entry, is_outside
from provenn.files import UserError
from provenn.repository import head
from provenn.repro.plan import open_repository, read_plan
from provenn.sweep.objective import Objective, read_objective
from provenn.sweep.ranges import Range, read_ranges
from provenn.sweep.sources import sources


@dataclass(frozen=True)
class Search:
    """A sweep: the `target` that must come out, which needs `stages`; what varies, what is best, and the seed.

    `sources` stands for the commit and what is changed in it, but for what stages `made`: values of other sources
    cannot be compared.
    """

    root: Path
    target: str
    stages: dict[str, Entry]
    ranges: Sequence[Range]
    objective: Objective
    seed: int
    made: Sequence[str]
    sources: str

    @property
    def name(self) -> str:
        """The sweep's name, with which those of its experiments begin."""
        asked = [self.target, [[found.param, str(found)] for found in self.ranges]]
        goal = [self.objective.key, self.objective.files, self.objective.direction, self.seed, self.sources]
        stage = re.sub(r"[^\w-]+", "-", self.target, flags=re.ASCII).strip("-")
        return f"{stage}-{hashlib.sha256(json.dumps([asked, goal]).encode()).hexdigest()[:8]}"

    @property
    def folder(self) -> Path:
        """Where the sweep's files lie."""
        return self.root / ".dvc" / "tmp" / "provenn" / "sweeps" / self.name

    def experiment(self, number: int) -> str:
        """Return the name of a trial's experiment."""
        return f"{self.name}-{number}"


def read_search(
    root: Path, target: str, ranges: Sequence[str], metric: str, direction: str | None, seed: int
) -> Search:
    """Return what is asked; raise UserError for a mistake in it."""
    if head(root) is None:
        raise UserError("an experiment of DVC needs a commit to begin from: `git init`, `git add`, `git commit` first.")
    target = address(target, root, Path.cwd())
    repository = open_repository(root)
    try:
        names = read_plan(repository, [target]).stages
    finally:
        repository.close()
    defined = read_stages(root)
    stages = {name: stage for name, stage in defined.items() if name in names}
    read = read_ranges(ranges, root)
    objective = read_objective(metric, direction, stages, root)
    made = [out for stage in defined.values() for out in stage.outs if not is_outside(out)]
    return Search(root, target, stages, read, objective, seed, made, sources(root, made))
