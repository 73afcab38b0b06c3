"""`provenn report`: everything that two sides differ in, and a sentence on top."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from provenn.report.changes import STALE, Parameter, Source, Stage, parameters, sources, stages
from provenn.report.figures import Figure, changed_figures
from provenn.report.judgement import BETTER, CHANGED, GONE, MISSING, NEW, UNCLEAR, WORSE, Metric, judge
from provenn.report.metrics import compared
from provenn.report.side import Side, read_base, read_head
from provenn.trust.check import KEYS, RERUNS
from provenn.trust.signatures import load_public_keys, read_signed
from provenn.trust.statement import TEST_RESULT, differences

UNCHANGED = "no metric changed"
CLEAR = WORSE, BETTER
UNKNOWN = {UNCLEAR: "{} may be chance", MISSING: "{} cannot be found", CHANGED: "which end is up is not known of {}"}


@dataclass(frozen=True)
class Rerun:
    """A signed verdict on a stage's present result: what an independent rerun came to, and whose key it bears."""

    stage: str
    verdict: str
    key: str


@dataclass(frozen=True)
class Report:
    """What the side `head` changed against `base`. `missing` says which files are nowhere, and what brings them."""

    base: str
    head: str
    parameters: list[Parameter]
    sources: list[Source]
    stages: list[Stage]
    metrics: list[Metric]
    figures: list[Figure]
    reruns: list[Rerun]
    missing: list[str]

    @property
    def verdict(self) -> str:
        """One of better, worse, cannot tell, no metric changed; one metric that is worse outweighs all others."""
        found = {metric.judgement for metric in self.metrics if metric.decides} - {NEW, GONE}
        if not found:
            return UNCHANGED
        return next((verdict for verdict in CLEAR if verdict in found), UNCLEAR)

    @property
    def sentence(self) -> str:
        """The verdict and the metrics that it rests on, and how many stages are yet to run."""
        found = {
            judgement: _listed([one for one in self.metrics if one.decides and one.judgement == judgement])
            for judgement in (*CLEAR, *UNKNOWN)
        }
        if self.verdict == UNCHANGED:
            count = len(self.metrics)
            verbs = ("is", "does") if count == 1 else ("are", "do")
            others = "; {} {} new or gone, or {} not count".format(count, *verbs) if count else ""
            said = f"No metric changed{others}"
        elif self.verdict == UNCLEAR:
            said = "Cannot tell: " + "; ".join(words.format(found[why]) for why, words in UNKNOWN.items() if found[why])
        else:
            said = "; ".join(f"{clear}: {found[clear]}" for clear in CLEAR if found[clear])
            said = said[0].upper() + said[1:]
        stale = sum(stage.state == STALE for stage in self.stages)
        waiting = f"; {stale} stage{'s are' if stale > 1 else ' is'} yet to run (`provenn repro`)" if stale else ""
        return f"{said}{waiting}."

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values; of a figure, on which sides it was found."""
        metrics = [asdict(metric) | {"difference": metric.difference} for metric in self.metrics]
        figures = [
            {"stage": one.stage, "path": one.path, "before": one.before is not None, "after": one.after is not None}
            for one in self.figures
        ]
        return (
            {"verdict": self.verdict, "sentence": self.sentence}
            | asdict(self)
            | {"metrics": metrics, "figures": figures}
        )


@contextmanager
def compare(root: Path, base: str, head: str | None = None) -> Iterator[Report]:
    """Yield what a commit, or the working folder, changed against a commit; its figures are there as long.

    Raises UserError for a commit that is not in this clone, and a pipeline that DVC cannot read.
    """
    with tempfile.TemporaryDirectory() as before, tempfile.TemporaryDirectory() as after:
        old, new = read_base(root, base, Path(before)), read_head(root, head, Path(after))
        metrics, figures = judge(compared(old, new)), changed_figures(old, new)
        yield Report(
            base=old.label,
            head=new.label,
            parameters=parameters(old, new),
            sources=sources(old, new),
            stages=stages(old, new),
            metrics=metrics,
            figures=figures,
            reruns=list(_reruns(root, new)),
            missing=old.missing + new.missing,
        )


def _reruns(root: Path, head: Side) -> Iterator[Rerun]:
    """Yield what signed reruns in the working folder say of the results of this side, and of no other."""
    paths = sorted((root / RERUNS).glob("*.json"))
    keys = load_public_keys(sorted((root / KEYS).glob("*.pem"))) if paths else []
    for path in paths:
        with suppress(
            ValueError, KeyError, TypeError, IndexError, AttributeError
        ):  # `verify --attestations` tells of it
            statement, key = read_signed(path, keys)
            (configuration,) = statement["predicate"]["configuration"]
            entry = head.entries.get(configuration["name"])
            if statement["predicateType"] == TEST_RESULT and entry and not differences(statement, entry):
                yield Rerun(entry.name, configuration["annotations"]["verdict"], key[:16])


def _listed(metrics: list[Metric]) -> str:
    names = [f"{metric.name} of {metric.stage}" for metric in metrics]
    more = f" and {len(names) - 4} more" if len(names) > 5 else ""
    return ", ".join(names[:4] if more else names) + more
