"""A first gate.yaml: a rule for each metric that a repository has, commented out."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from provenn.entry import Entry
from provenn.metric_files import better_end, numbers_in

MOST_RULES = 30
HEAD = """\
# What a change must keep: `provenn gate` checks it, and the workflow does once a rule stands here.
#
# Below are metrics of this repository with their present values. Uncomment those that matter, say in `rule` what they
# promise, and leave room for chance in the bound. Rules on test data are tuned to sooner or later: prefer validation.
"""


def gate_file(root: Path, entries: Iterable[Entry]) -> str | None:
    """Return the file's text for stages that have a result; None where they have no number among their metrics."""
    files = dict.fromkeys(path for entry in entries for path in entry.metrics if (root / path).is_file())
    found = [(f"{path}:{name}", value) for path in files for name, value in numbers_in(root / path).items()]
    if not found:
        return None
    rules = [_rule(metric, value) for metric, value in found[:MOST_RULES]]
    if len(found) > MOST_RULES:
        rules.append(f"# {len(found) - MOST_RULES} more: `dvc metrics show` lists them.\n")
    return "\n".join([HEAD, *rules])


def _rule(metric: str, value: float) -> str:
    bound = "at_most" if better_end(metric.partition(":")[2]) == "minimize" else "at_least"
    name = metric if re.fullmatch(r"[\w.][\w./@:-]*", metric) else json.dumps(metric, ensure_ascii=False)
    return f"# - rule: {name}\n#   metric: {name}\n#   {bound}: {json.dumps(value)}\n"
