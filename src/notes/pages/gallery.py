"""docs/studies.md: every claim of the notes with its figure, numbers and verdict, generated from results/study."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from notes.files import UserError, digest, missing_file, read_json, write_bytes
from notes.params import load_params

PAGE = Path("docs/studies.md")
FIGURES = Path("docs/studies")
RESULTS = Path("results/study")
HEAD = """\
# The notes' claims, each one measured

<!-- Generated from results/study by `provenn studies`: do not edit. -->

Each claim is an experiment of one module in `src/provenn/studies/`, which explains it, and of one section of `study` in
`params.yaml`. An effect comes with its 95 % interval over the repetitions; another `study.seed` shows how firm a
verdict is. In MLflow the studies are the experiment `studies`.

## What was not fixed beforehand

Each rule was written before its data was seen. What follows was changed after first outcomes had been seen, so these
verdicts rest on a choice made with knowledge of the data:

- `linear_collapse` and `dead_relu`: fewer epochs, to save time.
- `zero_centred`: learning rates and epochs; a reason ("because its outputs are centred on zero") left the claim.
- `capacity`: the grid; and more repetitions, since with twenty the verdict depended on the seed.
- `shuffling`: the number of validation rows.
- `mini_batches`: sizes and target.
- `clearing_gradients`: more steps, one list of learning rates for both problems, and a rule reworded from whole
  problems to single cases; as first worded it would say that the claim fails.
- `initialisation`: the network's target and learning rate.
- `loss_choice`: the wording of the claim, and the sizes.
- `closed_form`: the learning rate.

## Verdicts
"""


def update(root: Path = Path(), *, write: bool) -> list[Path]:
    """Bring the page and its figures up to date; return those that were stale. With `write` false change nothing.

    The figures are compared with dvc.lock, so that the check needs no figure in results/. Raises UserError for a study
    without results, and, when writing, for a figure that is not the one of dvc.lock.
    """
    names = list(load_params(root / "params.yaml").study.sections())
    figures, page = _figures_in_lock(root), gallery(names, root)
    stale = [PAGE] if not _has(root / PAGE, page.encode()) else []
    if write and stale:
        write_bytes(root / PAGE, page.encode())
    for name in names:
        shown, made = FIGURES / f"{name}.png", RESULTS / name / "figure.png"
        expected = figures.get(made.as_posix())
        if expected is None:
            raise UserError(f"dvc.lock has no {made}: run `dvc repro study@{name}` first.")
        if not (root / shown).is_file() or digest(root / shown) != expected:
            stale.append(shown)
            if write:
                if not (root / made).is_file() or digest(root / made) != expected:
                    raise UserError(f"{made} is not the figure of dvc.lock: run `dvc repro study@{name}` first.")
                write_bytes(root / shown, (root / made).read_bytes())
    return stale


def gallery(names: list[str], root: Path = Path()) -> str:
    """Return the page for these studies: a table of the verdicts, then a section a study."""
    verdicts = {name: read_json(root / RESULTS / name / "verdict.json") for name in names}
    lines = [HEAD, "| study | claim | verdict |", "|---|---|---|"]
    lines += [f"| [{name}](#{name}) | {it['claim']} | **{it['text']}** |" for name, it in verdicts.items()]
    return "\n".join(lines + [_section(name, verdict) for name, verdict in verdicts.items()]) + "\n"


def _section(name: str, verdict: dict[str, Any]) -> str:
    effect = f"{verdict['value']:.4g} (95 % interval {verdict['low']:.4g} to {verdict['high']:.4g})"
    return f"""
## {name}

**Claim** (notes, {verdict["notes"]}): {verdict["claim"]}

**Verdict: {verdict["text"]}.** {verdict["finding"]}.

![{verdict["finding"]}]({FIGURES.name}/{name}.png)

- Effect, {verdict["effect"]}: {effect}
- Rule: {verdict["rule"]}
- Run it again: change `study.{name}` in `params.yaml`, then `dvc repro study@{name}`; the code is
  [{name}.py](../src/provenn/studies/{name}.py)"""


def _figures_in_lock(root: Path) -> dict[str, str]:
    try:
        lock = YAML(typ="safe").load((root / "dvc.lock").read_bytes())
    except FileNotFoundError:
        raise missing_file("dvc.lock") from None
    stages = [entry for name, entry in lock["stages"].items() if name.startswith("study@")]
    return {out["path"]: out["md5"] for entry in stages for out in entry["outs"]}


def _has(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
