"""What every study shares: the verdict, and the rows of its table."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from notes.intervals import Interval

Row = dict[str, Any]  # of the tidy table; a key that begins with time/ goes to MLflow alone


@dataclass(frozen=True)
class Verdict:
    """What a study found: the effect with its 95 % interval, and what that says of the claim."""

    text: str  # "holds", "fails", "holds only for …", or "unsettled" where the study's seeds disagree
    effect: str  # what the effect size is, with its unit
    value: float
    low: float
    high: float
    finding: str  # one sentence with the numbers: the figure's title
    seeds: str = ""  # what each of the study's seeds said: "holds in 5 of 5"

    @classmethod
    def of(cls, texts: Mapping[str, Any]) -> "Verdict":
        """Return the verdict among the texts of a verdict.json."""
        return cls(**{field.name: texts[field.name] for field in fields(cls)})

    def metrics(self) -> dict[str, float | str]:
        """Return what metrics.json holds; `holds` is 1 for a claim that holds without a condition."""
        effect = {"effect": self.value, "effect_low": self.low, "effect_high": self.high}
        return {"study.verdict": self.text} | effect | {"holds": int(self.text == "holds")}


def across_seeds(verdicts: Sequence[Verdict], pooled: Verdict) -> Verdict:
    """Return what independent seeds say together: the numbers of all their rows, `pooled`, and the text they agree on.

    Where their texts differ, or the pooled rows say something else, the claim is unsettled.
    """
    texts = Counter(verdict.text for verdict in verdicts)
    seeds = ", ".join(f"{text} in {count} of {len(verdicts)}" for text, count in texts.most_common())
    agreed = set(texts) == {pooled.text}
    return replace(pooled, text=pooled.text if agreed else "unsettled", seeds=seeds)


def text_of(passed: Sequence[str], cases: Sequence[str], where: str = "for") -> str:
    """Return "holds" if every case passed, "fails" if none did, and "holds only for a, b and c" for those that did."""
    if len(passed) == len(cases):
        return "holds"
    return f"holds only {where} {listed(passed)}" if passed else "fails"


def listed(names: Sequence[str]) -> str:
    """Return the names as a sentence has them: "a", "a and b", "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def describe(texts: Mapping[str, Any]) -> str:
    """Return the texts of a verdict.json as a paragraph each of Markdown: claim, verdict, effect and rule."""
    interval = f"{texts['value']:.4g} (95 % interval {texts['low']:.4g} to {texts['high']:.4g})"
    return f"""**Claim** (notes, {texts["notes"]}): {texts["claim"]}

**Verdict: {texts["text"]}.** {texts["finding"]}.

- Effect, {texts["effect"]}: {interval}
- Independent seeds: {texts["seeds"]}
- Rule: {texts["rule"]}
"""


def numbered(rows: Sequence[Row], seed: int) -> list[Row]:
    """Return the rows of seed 1, 2, …, with repetitions that follow those of the seeds before.

    So the rows of all seeds together are those of one longer study.
    """
    count = 1 + max((int(row["repetition"]) for row in rows if "repetition" in row), default=0)
    shifted = ({"repetition": row["repetition"] + (seed - 1) * count} if "repetition" in row else {} for row in rows)
    return [{"study_seed": seed} | row | shift for row, shift in zip(rows, shifted, strict=True)]


def rows_where(rows: Iterable[Row], **equal: Any) -> list[Row]:
    """Return the rows whose columns have the given values."""
    return [row for row in rows if all(row.get(column) == value for column, value in equal.items())]


def column(rows: Iterable[Row], name: str, **equal: Any) -> npt.NDArray[np.float64]:
    """Return one column of the rows whose other columns have the given values, in the rows' order."""
    return np.array([row[name] for row in rows_where(rows, **equal)], dtype=np.float64)


def as_factor(logarithm: Interval) -> Interval:
    """Return an interval of a mean of natural logarithms as that of the geometric mean."""
    return Interval(*(float(end) for end in np.exp(logarithm)))


def choosing(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of the even repetitions: where something is chosen, they choose it."""
    return [row for row in rows if row["repetition"] % 2 == 0]


def judging(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of the odd repetitions, which judge a choice: a winner looks better where it won."""
    return [row for row in rows if row["repetition"] % 2 == 1]


def table(rows: Sequence[Row]) -> list[Row]:
    """Return the rows as the CSV holds them: all with the same columns, empty where a row has none, and no times."""
    columns = [name for name in dict.fromkeys(key for row in rows for key in row) if not name.startswith("time/")]
    return [{name: row.get(name, "") for name in columns} for row in rows]


def mean_times(rows: Sequence[Row]) -> dict[str, float]:
    """Return the mean of every time/ column over the rows that have it."""
    names = dict.fromkeys(key for row in rows for key in row if key.startswith("time/"))
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
