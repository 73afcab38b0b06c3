"""The gate: rules on metrics, written in a file, that CI checks."""

import json
import operator
import os
import sys
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from provenn.files import UserError
from provenn.metric_files import find_metrics, finite_number, read_values
from provenn.terminal import Json

# A bound's name: the comparison, its sign, and the sign of the contrary.
BOUNDS = {
    "at_least": (operator.ge, "≥", "<"),
    "at_most": (operator.le, "≤", ">"),
    "above": (operator.gt, ">", "≤"),
    "below": (operator.lt, "<", "≥"),
}
KEYS = ("rule", "metric", *BOUNDS)


@dataclass(frozen=True)
class Checked:
    """A rule that was checked: what each of its metrics is, by `file:key`, the bound, and whether all keep it."""

    rule: str
    values: dict[str, float]
    bound: str
    limit: float
    kept: bool

    @property
    def line(self) -> str:
        """The verdict, the rule, and the worst of its values."""
        worst = min if self.bound in ("at_least", "above") else max
        name, value = worst(self.values.items(), key=operator.itemgetter(1))
        sign = BOUNDS[self.bound][1 if self.kept else 2]
        shown = [f"{number:.6g}" for number in (value, self.limit)]
        if shown[0] == shown[1]:
            shown = [repr(value), repr(self.limit)]
        among = f" ({name}, the worst of {len(self.values)})" if len(self.values) > 1 else ""
        return f"{'kept  ' if self.kept else 'BROKEN'}  {self.rule}: {shown[0]} {sign} {shown[1]}{among}"


def gate(
    file: Annotated[
        Path | None, typer.Argument(help="The rules; metric files are named from its folder.", show_default="gate.yaml")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check metrics against the rules in gate.yaml, in CI for example.

    A rule names a metric and one bound: at_least, at_most, above or below, which
    is a number or another metric. A metric is `file:key`, in a JSON, YAML or TOML
    file, with `/` or `.` between nested keys. `*` and `{a,b}` in a rule's metric
    take several, in the file's name and in the key; each must keep the rule.

    Exits with 0 when all rules are kept, 1 when one is broken, and 2 when the
    file has a mistake or a metric is missing.

    Example of gate.yaml:

      - rule: the model is right for 98 of 100
        metric: results/metrics.json:test/accuracy
        at_least: 0.98

      - rule: every network beats the baseline
        metric: results/{small,large}/metrics.json:test/accuracy
        above: results/baseline/metrics.json:test/accuracy
    """
    try:
        checked = check_rules(file or _repository() / "gate.yaml")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    if as_json:
        print(json.dumps([asdict(rule) for rule in checked], indent=2, ensure_ascii=False))
    else:
        for rule in checked:
            print(rule.line)
    raise typer.Exit(0 if all(rule.kept for rule in checked) else 1)


def check_rules(file: Path) -> list[Checked]:
    """Return every rule of a file with what was measured; raise UserError when a rule or a metric has a mistake."""
    if file.is_dir():
        raise UserError(f"{file} is a folder: name the file with the rules.")
    if not file.is_file():
        raise UserError(
            f"{file} is missing: write the rules there, or name their file; `provenn gate --help` shows some."
        )
    rules = read_values(file)
    if not isinstance(rules, list) or not rules:
        raise UserError(f"{file} is not a list of rules: begin each with `- rule:`; `provenn gate --help` shows some.")
    try:
        return [_check_rule(rule, f"{file}, rule {number}", file.parent) for number, rule in enumerate(rules, 1)]
    except RecursionError:
        raise UserError(f"{file} is nested too deeply to be read: make it flatter.") from None


def _check_rule(rule: Any, place: str, folder: Path) -> Checked:
    if not isinstance(rule, dict):
        raise UserError(f"{place}: a rule has `rule`, `metric` and a bound, but this is {rule!r}.")
    for key in rule:
        if key not in KEYS:
            close = get_close_matches(str(key), KEYS, 1)
            hint = f"did you mean {close[0]}?" if close else f"a rule has {', '.join(KEYS)}."
            raise UserError(f"{place}: {key} is unknown: {hint}")
    for key in ("rule", "metric"):
        if not isinstance(rule.get(key), str):
            raise UserError(f"{place}: `{key}` is missing or not text: write one.")
    bounds = [key for key in BOUNDS if key in rule]
    if len(bounds) != 1:
        raise UserError(f"{place}: write one of {', '.join(BOUNDS)}, not {' and '.join(bounds) or 'none'}.")
    bound = bounds[0]
    values = find_metrics(rule["metric"], place, folder)
    limit = rule[bound]
    if isinstance(limit, str):
        found = find_metrics(limit, f"{place}, {bound}", folder)
        if len(found) > 1:
            raise UserError(f"{place}, {bound}: {limit} names {len(found)} metrics: a bound is one.")
        limit = next(iter(found.values()))
    limit = finite_number(limit, f"{place}, {bound}")
    kept = all(BOUNDS[bound][0](value, limit) for value in values.values())
    return Checked(rule["rule"], values, bound, limit, kept)


def _repository() -> Path:
    """Return the way to the folder of the DVC repository around the working folder, or to this one without any."""
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)
    return Path(os.path.relpath(root))
