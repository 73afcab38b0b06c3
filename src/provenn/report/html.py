"""The report as one HTML page that asks for nothing else."""

import base64
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from provenn.report.compare import Report
from provenn.report.figures import KINDS
from provenn.report.tables import tables


def as_html(report: Report) -> str:
    """Return the page, pictures and style in it."""
    pages = Environment(
        loader=PackageLoader("provenn.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["inline"] = _inline
    return pages.get_template("page.html.jinja").render(report=report, tables=tables(report))


def _inline(picture: Path) -> str:
    return f"data:{KINDS[picture.suffix.lower()]};base64,{base64.b64encode(picture.read_bytes()).decode()}"
