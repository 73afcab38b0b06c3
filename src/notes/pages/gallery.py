"""docs/studies.md: every claim of the notes with its figure, numbers and verdict, generated from results/."""

from pathlib import Path

from notes.files import UserError, missing_file, read_json, write_bytes
from notes.pages import comparing
from notes.settings import read_yaml
from notes.studies.shared.base import describe

PAGE = Path("docs/studies.md")
FIGURES = Path("docs/studies")
VERDICTS = Path("results/study")
DRAWN = Path("results/draw_studies")
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
    answer = comparing.check(PAGE, shown, gallery(root), _structure, command)
    elsewhere = comparing.made_elsewhere(shown)
    for path in _drawn(root):
        figure = FIGURES / path.name
        if not ((root / figure).is_file() if elsewhere else _shows(root / figure, path.read_bytes())):
            raise UserError(f"{figure} is not the one in {DRAWN}: run `{command}` and commit it.")
    return answer


def gallery(root: Path = Path()) -> str:
    """Return the page: a table of the verdicts, then a section for each study of params.yaml."""
    verdicts = {name: read_json(root / VERDICTS / name / "verdict.json") for name in _names(root)}
    lines = [HEAD, comparing.mark(), "", "| study | claim | verdict |", "|---|---|---|"]
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


def _structure(page: str) -> list[str]:
    """Return what no measured number enters: the studies, their claims and rules."""
    return [line for line in page.splitlines() if line.startswith(("## ", "**Claim**", "- Rule"))]


def _shows(path: Path, content: bytes) -> bool:
    made = path.read_bytes() if path.is_file() else b""
    if path.suffix == ".md":
        return comparing.same(made.decode(), content.decode())
    return made == content
