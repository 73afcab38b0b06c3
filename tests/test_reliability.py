"""The page of faults against the tests that made it."""

import re

from reliability import HEAD, PAGE, rows_of


def test_every_tested_fault_is_on_the_page(request):
    rows = {row for item in request.session.items for row in rows_of(item)}
    missing = rows - set(PAGE.read_text().splitlines())
    assert not missing, f"`make reliability` writes {PAGE.name}; it lacks {sorted(missing)}"


def test_every_fault_on_the_page_is_still_in_its_test():
    rows = PAGE.read_text().removeprefix(HEAD).splitlines()
    assert rows
    for row in rows:
        fault, then, link = row.strip("| ").split(" | ")
        source = (PAGE.parent / link.partition("](")[2].rstrip(")")).read_text()
        test = re.sub(r'"\s*\n\s*"', "", source)  # a text on several lines
        assert fault in test, row
        assert then in test, row
