"""The Chinese book lacks nothing that the English one has."""

import re
import subprocess
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from conftest import BOOK


def read(path: Path) -> Catalog:
    """Return a catalogue of messages."""
    with path.open("rb") as file:
        return read_po(file)


def test_every_text_of_the_pages_is_translated_and_none_is_left_over(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "--builder=gettext", "--conf-dir=.", "--quiet", "pages", str(tmp_path)]
    subprocess.run(command, cwd=BOOK, check=True)
    texts = {message.id for message in read(tmp_path / "book.pot") if message.id}
    translated = read(BOOK / "locales/zh_CN/LC_MESSAGES/book.po")
    assert {message.id for message in translated if message.id} == texts, "run `make translate`, then translate"
    missing = [message.id for message in translated if message.id and (not message.string or message.fuzzy)]
    assert not missing


def test_roles_and_paths_are_the_same_in_both_languages() -> None:
    for message in read(BOOK / "locales/zh_CN/LC_MESSAGES/book.po"):
        if message.id:
            of = r"\{(?:result|parameter|doc)\}`[^`]*`|\]\([^)]*\)"
            assert sorted(re.findall(of, message.string)) == sorted(re.findall(of, message.id))


def test_formulas_are_the_same_in_both_languages() -> None:
    """Sphinx makes literal text of a formula that differs."""
    formulas = [message for message in read(BOOK / "locales/zh_CN/LC_MESSAGES/book.po") if "\\frac" in message.id]
    assert len(formulas) > 5
    for message in formulas:
        if not message.id.count("$"):
            assert message.string == message.id
