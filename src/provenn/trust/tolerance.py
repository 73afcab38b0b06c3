"""Whether the numbers of two results are the same result, each by a rule of its own."""

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass

# For a number that `meta: provenn: tolerances:` does not name. Rounding differs between instruction sets, and training
# amplifies it.
DEFAULT = "1 %"


@dataclass(frozen=True)
class Judged:
    """A number of two results, and whether they are close enough by its rule; `now` is None where it is missing."""

    name: str
    recorded: float
    now: float | None
    rule: str
    close: bool


def judge(
    recorded: Mapping[str, float], now: Mapping[str, float], tolerances: Mapping[str, float | str]
) -> list[Judged]:
    """Return every recorded number beside the one that it has now.

    `tolerances` maps patterns of names to the largest difference allowed, a number, or a share of the recorded one as
    text, "2 %"; the first that fits decides. Without one, whole numbers must be equal and others within 1 %.
    """
    return [_judge(name, value, now.get(name), tolerances) for name, value in recorded.items()]


def _judge(name: str, recorded: float, now: float | None, tolerances: Mapping[str, float | str]) -> Judged:
    declared = next((value for pattern, value in tolerances.items() if fnmatch.fnmatchcase(name, pattern)), None)
    whole = now is not None and recorded.is_integer() and now.is_integer()
    tolerance = declared if declared is not None else 0.0 if whole else DEFAULT
    share = isinstance(tolerance, str)
    allowed = float(str(tolerance).rstrip("% ")) * (abs(recorded) / 100 if share else 1)
    rule = "equal" if tolerance == 0 else f"within {tolerance}{' of it' if share else ''}"
    return Judged(name, recorded, now, rule, now is not None and abs(now - recorded) <= allowed)
