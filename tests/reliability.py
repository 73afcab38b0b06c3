"""docs/reliability.md, made by the tests themselves: each test of a fault says what breaks, and what heals it.

    pytest -m fault --reliability

A test is marked `@pytest.mark.fault("what breaks", "what happens then")`, or a case of it by `fault` below. A row is
written for what passed alone.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
HEAD = """# What breaks, and what happens then

Each row is a test that makes the fault with the real DVC, MLflow, git and operating system, and then checks what is
said here. `make reliability` runs them and writes this page: a row whose test fails is not in it.

| fault | what happens | test |
|---|---|---|
"""


def fault(what: str, then: str) -> pytest.MarkDecorator:
    """Return the mark of a test, or of a case of one, that makes a fault."""
    return pytest.mark.fault(what, then)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--reliability", action="store_true", help="write docs/reliability.md from the tests of faults")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Send a fault's row along with its result, for tests may run in other processes."""
    if call.when == "setup":
        item.user_properties += [("fault", row) for row in rows_of(item)]
    return (yield)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Write the page, once all tests have ended."""
    if config.getoption("--reliability"):
        passed = terminalreporter.stats.get("passed", [])
        rows = {row for report in passed for name, row in report.user_properties if name == "fault"}
        PAGE.write_text(HEAD + "".join(f"{row}\n" for row in sorted(rows)))
        terminalreporter.write_line(f"{len(rows)} faults in {PAGE.name}")


def rows_of(item: pytest.Item) -> list[str]:
    """Return the rows of the page that a test stands for."""
    path = item.path.relative_to(PAGE.parents[1]).as_posix()
    return [
        f"| {mark.args[0]} | {mark.args[1]} | [`{item.path.stem}`](../{path}) |" for mark in item.iter_markers("fault")
    ]
