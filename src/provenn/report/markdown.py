"""The report as Markdown, for a comment on a pull request or the summary of a workflow."""

import re

from provenn.report.compare import Report
from provenn.report.tables import Cell, Table, tables

ROWS = 40  # of a table, for GitHub takes 65,536 characters a comment
MARKS = {"better": "✅", "worse": "❌", "cannot tell": "❔"}
LONGEST = 80  # characters of a value


def as_markdown(report: Report) -> str:
    """Return the report in GitHub's Markdown: the sentence, then the tables; what did not change is left out."""
    mark = MARKS.get(report.verdict)
    parts = [f"## {mark} {_plain(report.sentence)}" if mark else f"## {_plain(report.sentence)}"]
    parts += [f"{_plain(report.head)} against {_plain(report.base)}"]
    figures = [[Cell(one.stage, "code"), Cell(one.path, "code")] for one in report.figures]
    for table in [*tables(report), *([Table("Figures", ("stage", "figure"), figures)] if figures else [])]:
        lines = [table.head, ["---:" if name == "difference" else "---" for name in table.head]]
        lines += [[_cell(cell) for cell in row] for row in table.rows[:ROWS]]
        parts += [f"### {table.title}", "\n".join(f"| {' | '.join(line)} |" for line in lines)]
        parts += [f"{len(table.rows) - ROWS} more rows are on the page."] if len(table.rows) > ROWS else []
    if report.missing:
        parts += ["### Missing", "\n".join(f"- {_plain(sentence)}" for sentence in report.missing[:ROWS])]
    return "\n\n".join(parts) + "\n"


def _cell(cell: Cell) -> str:
    if cell.text is None or cell.kind != "code":
        return f"{MARKS.get(cell.kind, '')} {_plain(cell.text or '')}".strip()
    text = " ".join(cell.text.split())
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    # Of code with a backtick in it the fence is longer, and a bar ends a cell even in code.
    fence, space = ("``", " ") if "`" in text else ("`", "" if text else " ")
    return f"{fence}{space}{text.replace('|', chr(92) + '|')}{space}{fence}"


def _plain(text: str) -> str:
    """Return text that is text there: no markup, no mention of somebody; a command in backticks stays one."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:
        parts = ["\\`".join(parts)]
    for place in range(0, len(parts), 2):
        parts[place] = re.sub(r"([\\*_<>\[\]#])", r"\\\1", parts[place]).replace("@", "@\N{ZERO WIDTH SPACE}")
    return "`".join(parts).replace("|", "\\|")
