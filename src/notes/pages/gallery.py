"""docs/studies.md: every claim of the notes with its figure, numbers and verdict, generated from results/."""

import re
from pathlib import Path

from notes.files import UserError, missing_file, read_json, write_bytes
from notes.pages import comparing
from notes.settings import read_yaml
from notes.studies.shared.base import describe

PAGE = Path("docs/studies.md")
FIGURES = Path("docs/studies")
VERDICTS = Path("results/study")
DRAWN = Path("results/draw_studies")
NUMBER = r"([-+]?[\d.]+(?:e[-+]?\d+)?)"
PARTS = {
    "claim": re.compile(r"^\*\*Claim\*\* .*?: (.*)$", re.MULTILINE),
    "rule": re.compile(r"^- Rule: (.*)$", re.MULTILINE),
    "verdict": re.compile(r"^\*\*Verdict: (.*?)\.\*\*", re.MULTILINE),
    "effect": re.compile(rf"^- Effect, .*: {NUMBER} \(95 % interval {NUMBER} to {NUMBER}\)$", re.MULTILINE),
}
ROUNDING = 1e-6  # effects that are no more than this apart are rounding, such as the distance of two formulas
HEAD = """\
# The notes' claims, each one measured

<!-- Generated from results/study by `python -m notes studies`: do not edit. -->

Each claim is an experiment of one module in `src/notes/studies/`, which explains it, and of one section of `study` in
`params.yaml`. Its rule judges it once by each of `study.seeds` independent seeds; where they disagree, the claim is
unsettled. An effect comes with its 95 % interval over the repetitions of all seeds. In MLflow the studies are the
experiment `studies`.

## What was not fixed beforehand

A rule is written before its outcome is seen. What follows was changed afterwards, so these verdicts rest on a choice
made with knowledge of the data:

- Designed anew when the outcome of a former study was known, the new rule written before its own outcome:
  `vanishing_gradients`, `zero_centred`, `mini_batches`, `clearing_gradients`, `initialisation`, `loss_choice`,
  `back_propagation`, `inference_mode`.
- Rules: `clearing_gradients` asked that a learning rate work in every repetition and now asks it on average, since the
  loss of a single first batch decided; `dead_relu` asked whether units die at each learning rate, and now at any.
- Learning rates: `zero_centred` and `mini_batches` lost rates at the ends of their lists that were nobody's best;
  `clearing_gradients` got 0.03 for 0.01, which worked by some seeds and not by others; `closed_form` got another one.
- Targets and sizes: `mini_batches`, `initialisation` and `loss_choice` (targets), `capacity` (the grid), `shuffling`
  (validation rows).
- Fewer steps or epochs, to save time: `linear_collapse`, `dead_relu`, `zero_centred`, `mini_batches`, `inference_mode`.
- More repetitions, since a seed could not tell: `capacity`, `clearing_gradients`, `initialisation`, `mini_batches`.
- `loss_choice`: more epochs, since by one seed no run with a squared error got to the target.
- The odd repetitions of `zero_centred`, `mini_batches` and `loss_choice` run at the chosen learning rate alone, to save
  time; the rules, which look at no other, stayed. `initialisation`: its rule says that pretraining is not counted.
- `differentiable`: more steps and repetitions; with fewer the sigmoid's network was half trained.
- `relu_speed`: higher learning rates, because sigmoid had chosen the highest; more repetitions; fewer rows and
  epochs.
- `sigmoid_softmax`, `calibration`, `squared_error_measure`: fewer rows, steps or repetitions, to save time.
- `training_lowers_loss`: a tenth of the steps or epochs may raise the loss, not a twentieth, near which epochs lay.
- `batch_memory`: higher learning rates, because the full batch had chosen the highest; fewer rows.
- `tensors`: judged by operations and calls that Python has to do one by one, no longer by whether the product is five
  times as fast, because a duration is no function of the inputs; what a call counts as was chosen with the timed
  outcome known.
- `view`: pictures of at least four pixels a side; of three, cutting leaves one, which can be viewed.

## Verdicts
"""


def update(root: Path = Path()) -> list[Path]:
    """Bring the page and its figures up to date; return those that were stale."""
    made = {PAGE: gallery(root).encode()} | {FIGURES / path.name: path.read_bytes() for path in _drawn(root)}
    stale = [path for path, content in made.items() if not _shows(root / path, content)]
    for path in stale:
        write_bytes(root / path, made[path])
    return stale


def check(root: Path = Path()) -> str:
    """Return a sentence on a gallery that shows the studies' results; raise UserError for another."""
    shown = (root / PAGE).read_text(encoding="utf-8") if (root / PAGE).is_file() else ""
    command = "python -m notes studies"
    answer = comparing.check(PAGE, shown, gallery(root), other_findings, command, root)
    elsewhere = comparing.made_elsewhere(shown, root)
    for path in _drawn(root):
        figure = FIGURES / path.name
        if not ((root / figure).is_file() if elsewhere else _shows(root / figure, path.read_bytes())):
            raise UserError(f"{figure} is not the one in {DRAWN}: run `{command}` and commit it.")
    return answer


def gallery(root: Path = Path()) -> str:
    """Return the page: a table of the verdicts, then a section for each study of params.yaml."""
    verdicts = {name: read_json(root / VERDICTS / name / "verdict.json") for name in _names(root)}
    lines = [HEAD, comparing.mark(root), "", "| study | claim | verdict |", "|---|---|---|"]
    lines += [f"| [{name}](#{name}) | {it['claim']} | **{it['text']}** |" for name, it in verdicts.items()]
    for name, verdict in verdicts.items():
        lines.append(f"""
## {name}

{describe(verdict)}
![{verdict["finding"]}]({FIGURES.name}/{name}.png)

Run it again: change `study.{name}` in `params.yaml`, then `dvc repro study@{name}`; the code is
[{name}.py](../src/notes/studies/{name}.py).""")
    return "\n".join(lines) + "\n"


def _names(root: Path) -> list[str]:
    sections = read_yaml(root / "params.yaml")["study"]
    return [name for name, values in sections.items() if isinstance(values, dict)]


def _drawn(root: Path) -> list[Path]:
    paths = [root / DRAWN / f"{name}.png" for name in _names(root)]
    for path in paths:
        if not path.is_file():
            raise missing_file(path.relative_to(root))
    return paths


def other_findings(shown: str, made: str) -> list[str]:
    """Return what is not the same finding on two pages: other claims and rules, verdicts, or effects.

    A verdict that one of them calls unsettled may be any on the other; effects must have intervals that overlap.
    """
    one, other = _studies(shown), _studies(made)
    if [(name, found["claim"], found["rule"]) for name, found in one.items()] != [
        (name, found["claim"], found["rule"]) for name, found in other.items()
    ]:
        return ["the studies, their claims or their rules are not the same"]
    different = []
    for name in one:
        verdicts = {found[name]["verdict"] for found in (one, other)}
        if len(verdicts) > 1 and "unsettled" not in verdicts:
            different.append(f"{name}: {' against '.join(sorted(verdicts))}")
        (_, low, high), (value, other_low, other_high) = (
            [float(number) for number in found[name]["effect"].split()] for found in (one, other)
        )
        if other_high < low - ROUNDING or other_low > high + ROUNDING:
            different.append(f"{name}: an effect of {value:g}, not within {low:g} to {high:g}")
    return different


def _studies(page: str) -> dict[str, dict[str, str]]:
    """Return claim, rule, verdict and effect (value, low, high) of each study of a page."""
    found = {}
    for section in page.split("\n## "):
        parts = {name: pattern.search(section) for name, pattern in PARTS.items()}
        if all(parts.values()):
            found[section.partition("\n")[0]] = {name: " ".join(it.groups()) for name, it in parts.items() if it}
    return found


def _shows(path: Path, content: bytes) -> bool:
    made = path.read_bytes() if path.is_file() else b""
    if path.suffix == ".md":
        return comparing.same(made.decode(), content.decode())
    return made == content
