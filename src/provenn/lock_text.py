"""The entries of a lock file as pieces of its text, so that one is read or replaced without parsing the others."""

import re

_STAGES = re.compile(r"^stages:\n", re.MULTILINE)
_NEXT = re.compile(r"^ {0,2}\S", re.MULTILINE)  # an entry is indented by two, all that is in it by more
_TOP = re.compile(r"^\S", re.MULTILINE)
# A name in quotes, what stands for a value elsewhere in the file, and what is not on lines of its own, indented by two.
_INVOLVED = re.compile(r"^  ['\"?]|(?:: |- )[&*]|^ \S|^  \S.*[^:\n]$|^stages:\n {3}", re.MULTILINE)


def is_plain(text: str) -> bool:
    """Tell whether each entry stands for itself, behind its plain name."""
    return bool(_STAGES.search(text)) and text.endswith("\n") and not _INVOLVED.search(text)


def find_entry(text: str, name: str) -> tuple[int, int] | None:
    """Return where the entry of a stage begins and ends, its name included; None when it has none."""
    first, last = _block(text)
    start = text.find(f"\n  {name}:\n", first - 1, last)
    if start < 0:
        return None
    following = _NEXT.search(text, start + len(name) + 5, last)
    return start + 1, following.start() if following else last


def replace_entry(text: str, name: str, entry: str) -> str:
    """Return the text with another entry for a stage, behind all others if there is none yet."""
    start, end = find_entry(text, name) or (_block(text)[1],) * 2
    return text[:start] + entry + text[end:]


def _block(text: str) -> tuple[int, int]:
    """Return where the entries begin and end; the same place twice when there are none."""
    header = _STAGES.search(text)
    if header is None:
        return 0, 0
    following = _TOP.search(text, header.end())
    return header.end(), following.start() if following else len(text)
