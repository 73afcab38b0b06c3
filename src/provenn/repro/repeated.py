"""Whether the stages that ran gave the bytes that dvc.lock had for the same inputs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provenn.entry import Entry

SHOWN = 5


@dataclass(frozen=True)
class Repetition:
    """The stages that dvc.lock had a result of and that ran again.

    `different` have other outputs for the same command, parameters and inputs; those of `following` had only inputs
    that such stages made anew.
    """

    same: list[str]
    different: list[str]
    following: list[str]

    @property
    def sentence(self) -> str:
        """What to tell of it; empty when nothing was repeated."""
        count = len(self.same) + len(self.different) + len(self.following)
        if not count:
            return ""
        if not self.different:
            return f"{_results(count)} that dvc.lock had came out again, byte for byte."
        names = ", ".join(self.different[:SHOWN]) + (", …" if len(self.different) > SHOWN else "")
        following = f" {len(self.following)} more follow from that." if self.following else ""
        return (
            f"{len(self.different)} of {_results(count)} that dvc.lock had came out with other bytes for the same "
            f"inputs: {names}.{following} On another kind of processor, or with other versions, that may be; "
            "`provenn reproduce STAGE` compares the numbers."
        )


def compare(before: Mapping[str, Entry], after: Mapping[str, Entry], ran: Iterable[str]) -> Repetition:
    """Sort the stages that `ran`, in the order of a serial run, by what became of the result that they had `before`."""
    same: list[str] = []
    different: list[str] = []
    following: list[str] = []
    made_anew: set[str] = set()
    for name in ran:
        old, new = before.get(name), after.get(name)
        if not (old and new and old.result and new.result):
            continue
        changed = {path for path, digest in new.deps.items() if old.deps.get(path) != digest}
        inputs = (old.command, old.params, old.deps.keys()) == (new.command, new.params, new.deps.keys())
        if not inputs or not all(_is_made_anew(path, made_anew) for path in changed):
            continue
        if old.result == new.result:
            same.append(name)
            continue
        (following if changed else different).append(name)
        made_anew |= {path for path, digest in new.outs.items() if old.outs.get(path) != digest}
    return Repetition(same, different, following)


def _is_made_anew(path: str, made_anew: set[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") or one.startswith(f"{path}/") for one in made_anew)


def _results(count: int) -> str:
    return "1 result" if count == 1 else f"{count} results"
