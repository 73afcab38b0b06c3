"""The report as people see it: Markdown that GitHub renders as tables, and a page that needs nothing but itself."""

import base64
import re
from html.parser import HTMLParser

import pytest
import reported
from markdown_it import MarkdownIt
from repository import Repository

from provenn.report.compare import Report, compare
from provenn.report.html import as_html
from provenn.report.judgement import Metric
from provenn.report.markdown import ROWS, as_markdown

HOSTILE = "<script>alert(1)</script> | `a` @someone [x](https://user:secret@example.org)"


class Page(HTMLParser):
    """The elements of a page, which must all be closed in order, and where they lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


@pytest.fixture
def changed(changing: Repository) -> Repository:
    """The repository, with a better result and a parameter that would be markup."""
    reported.set_params(changing, wrong=8)
    (changing.root / "params.yaml").open("a").write(f"note: '{HOSTILE}'\n")
    stages = reported.stages(**reported.META)
    stages["evaluate"]["params"].append("note")
    changing.define(stages)
    changing.dvc_here("repro")
    return changing


def test_the_page_is_whole_asks_for_nothing_and_has_both_pictures_in_it(changed: Repository) -> None:
    with compare(changed.root, "base") as report:
        text = as_html(report)
    page = Page(text)
    assert "http" not in text.replace("https://***@example.org", "")
    assert not {"script", "link", "iframe"} & set(page.seen)
    assert all(link.startswith("data:image/svg+xml;base64,") for link in page.links)
    shown = [base64.b64decode(link.partition(",")[2]) for link in page.links]
    after = (changed.root / "plots/bar.svg").read_bytes()
    assert shown[1] == after
    assert shown[0] != after
    assert b'width="85.0"' in shown[0]
    assert HOSTILE.replace("user:secret", "***") in page.cells


def test_a_picture_of_one_side_alone_has_a_place_that_says_so(changed: Repository) -> None:
    changed.git("rm", "--quiet", "--cached", "dvc.lock", "dvc.yaml")
    changed.git("commit", "--quiet", "-m", "No pipeline")
    with compare(changed.root, "HEAD") as report:
        page = Page(as_html(report))
    assert len(page.links) == 1
    assert page.seen.count("figure") == 2


def test_markdown_is_tables_in_which_a_value_stays_what_it_is(changed: Repository) -> None:
    with compare(changed.root, "base") as report:
        text = as_markdown(report)
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    titles = re.findall(r"<h3>(.*?)</h3>", rendered)
    assert titles == ["Metrics", "Parameters", "Stages", "Figures"]
    assert rendered.count("<table>") == len(titles)
    for table in re.findall(r"<table>.*?</table>", rendered, re.DOTALL):
        columns = table.count("<th>") + table.count("<th ")
        assert {row.count("<td") for row in table.split("<tr>")[2:]} == {columns}
    assert "<script" not in rendered
    assert "<a " not in rendered
    assert "secret" not in text
    assert "<strong>" not in rendered


def test_a_command_in_a_sentence_stays_a_command() -> None:
    text = as_markdown(report_of(missing=["a_b.csv of x is nowhere: `dvc pull train_mlp@a|b` brings *it*."]))
    rendered = MarkdownIt().render(text)
    assert "<code>dvc pull train_mlp@a" in rendered
    assert "<em>" not in rendered


def test_a_long_table_ends_where_a_comment_can_still_hold_it() -> None:
    metrics = [
        Metric("evaluate@" + "x" * 60, f"{'y' * 60}{number}", 1.0, 2.0, judgement="changed") for number in range(500)
    ]
    text = as_markdown(report_of(metrics=metrics))
    assert len(text) < 65_536
    assert f"{500 - ROWS} more rows are on the page." in text
    assert len(Page(as_html(report_of(metrics=metrics))).cells) == 7 * 501


def report_of(metrics: list[Metric] | None = None, missing: list[str] | None = None) -> Report:
    return Report("base", "head", [], [], [], metrics or [], [], [], missing or [])
