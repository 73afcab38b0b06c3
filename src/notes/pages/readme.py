"""The README's tables, generated from results/ and checked to be current."""

import re
from pathlib import Path

from notes.evaluation.comparison import holm
from notes.evaluation.metrics import wilson
from notes.files import UserError, read_json, write_bytes
from notes.pages import comparing
from notes.pages.results import load_results
from notes.sources.mnist import FILES

README = Path("README.md")
COMPARISON = Path("experiments/comparison")
RECORD = Path("experiments/record/results/evaluate_seeds")
TEST_IMAGES = FILES["t10k-labels-idx1-ubyte"][0]
CONFIDENCE = 0.95
INTERVAL = re.compile(r"([-+]?[\d.]+(?:e[-+]?\d+)?) to ([-+]?[\d.]+(?:e[-+]?\d+)?)")
ROUNDING = 1e-6  # of differences: the regressions agree within that with least squares


def update(root: Path = Path()) -> bool:
    """Put the current tables between the README's markers; return whether any was stale."""
    shown = (root / README).read_text(encoding="utf-8")
    made = _with_tables(shown, root)
    stale = not comparing.same(shown, made)
    if stale:
        write_bytes(root / README, made.encode())
    return stale


def check(root: Path = Path()) -> str:
    """Return a sentence on a README with current tables; raise UserError for another."""
    shown = (root / README).read_text(encoding="utf-8")
    return comparing.check(README, shown, _with_tables(shown, root), outside_intervals, "python -m notes readme", root)


def results_table(root: Path = Path()) -> str:
    """Return the Markdown table of every model's test result with its interval."""
    lines = ["| task | model | metric | test rows | value | 95 % interval |", "|---|---|---|---:|---:|---:|"]
    for result in load_results(root):
        lines.append(
            f"| {result.task} | {result.model}{' ★' if result.champion else ''} | {result.metric} | {result.rows:,} "
            f"| {result.value:.4f} | {result.low:.4f} to {result.high:.4f} |"
        )
    return "\n".join(lines)


def comparisons_table(root: Path = Path()) -> str:
    """Return the Markdown table of every network against its counterpart, and of what differs between the two."""
    lines = [
        "| network | against | what differs | difference | 95 % interval | finding |",
        "|---|---|---|---:|---:|---|",
    ]
    for result in load_results(root):
        if found := result.comparison:
            lines.append(
                f"| {result.model} | {found.counterpart.removeprefix(f'{result.task}_')} | {found.differs} "
                f"| {found.difference:.2g} | {found.low:.2g} to {found.high:.2g} | {found.conclusion} |"
            )
    return "\n".join(lines)


def comparison_table(root: Path = Path()) -> str:
    """Return the Markdown table of what experiments/comparison found over seeds and test rows."""
    lines = [
        "| data set | network | against | what differs | accuracy | against | difference | 95 % interval | p |",
        "|---|---|---|---|---:|---:|---:|---:|---:|",
    ]
    files = [read_json(path) for path in sorted((root / COMPARISON).glob("*/results/compare_seeds/metrics.json"))]
    rows = [
        (found["dataset"], name, pair) for found in files[::-1] for name, pair in found.items() if name != "dataset"
    ]
    adjusted = holm([pair["p_value"] for _, _, pair in rows])
    for (dataset, name, pair), p_value in zip(rows, adjusted, strict=True):
        accuracies = f"{100 * pair['accuracy']:.2f} % | {100 * pair['counterpart_accuracy']:.2f} %"
        difference, low, high = (100 * pair[f"difference{end}"] for end in ("", "_low", "_high"))
        lines.append(
            f"| {dataset} | {name.removeprefix('mnist_')} | {pair['counterpart'].removeprefix('mnist_')} "
            f"| {pair['differs']} | {accuracies} | {difference:+.2f} | {low:+.2f} to {high:+.2f} | {p_value:.2g} |"
        )
    return "\n".join(lines)


def record_table(root: Path = Path()) -> str:
    """Return the Markdown table of the networks that experiments/record judged over several seeds.

    The interval over seeds is for networks trained anew and judged on the same images, that over images for other
    images: Wilson's at the mean, as if one network had it.
    """
    lines = [
        "| network | seeds | mean test accuracy | 95 % over seeds | 95 % over test images | lowest to highest seed |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for path in sorted((root / RECORD).glob("*/metrics.json")):
        found = read_json(path)
        images = wilson(round(found["test/accuracy"] * TEST_IMAGES), TEST_IMAGES, CONFIDENCE)
        found = {name: 100 * value for name, value in found.items()}
        lines.append(
            f"| {path.parent.name} | {found['seeds'] / 100:.0f} | {found['test/accuracy']:.3f} % "
            f"| {found['test/accuracy_low']:.2f} to {found['test/accuracy_high']:.2f} "
            f"| {100 * images.low:.2f} to {100 * images.high:.2f} "
            f"| {found['test/accuracy_lowest']:.2f} to {found['test/accuracy_highest']:.2f} |"
        )
    return "\n".join(lines)


def _with_tables(text: str, root: Path) -> str:
    text = _replace(text, "results", f"{comparing.mark(root)}\n{results_table(root)}\n\n{comparisons_table(root)}")
    # The numbers of the experiments are committed files, the same on any processor.
    return _replace(_replace(text, "comparison", comparison_table(root)), "record", record_table(root))


def _replace(text: str, name: str, content: str) -> str:
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise UserError(f"README.md has no place for the {name}: put `{begin}` and `{end}` where they belong.")
    return pattern.sub(lambda _: f"{begin}\n{content}\n{end}", text)


def outside_intervals(shown: str, made: str) -> list[str]:
    """Return what is not the same result on two pages: rows that one of them lacks, values outside their interval."""
    rows, here = _rows(shown), _rows(made)
    lacking = [f"{' '.join(name)} stands in one of them alone" for name in sorted(rows.keys() ^ here.keys())]
    outside = [
        f"{' '.join(name)} is {here[name][0]:g}, not within {low:g} to {high:g}"
        for name, (_, low, high) in rows.items()
        if name in here and not low - ROUNDING <= here[name][0] <= high + ROUNDING
    ]
    return lacking + outside


def _rows(text: str) -> dict[tuple[str, ...], tuple[float, float, float]]:
    """Return value, low and high of every row of a table with intervals, by its first two cells: a model, or a pair."""
    rows = {}
    for line in text.splitlines():
        cells = line.replace(" ★", "").replace(" %", "").strip("| ").split(" | ")
        ends = [INTERVAL.fullmatch(cell) for cell in cells]
        first = next((number for number, found in enumerate(ends) if found), None)
        if line.startswith("| ") and first:
            found = ends[first]
            assert found is not None
            rows[tuple(cells[:2])] = (float(cells[first - 1]), float(found[1]), float(found[2]))
    return rows
