"""The page of faults against the tests that made it."""

from reliability import PAGE, rows_of


def test_every_tested_fault_is_on_the_page(request):
    rows = {row for item in request.session.items for row in rows_of(item)}
    missing = rows - set(PAGE.read_text().splitlines())
    assert not missing, f"`make reliability` writes {PAGE.name}; it lacks {sorted(missing)}"
