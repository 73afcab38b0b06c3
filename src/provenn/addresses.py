"""Addresses as they may be shown: without the user's name and password that a URI can carry."""

import re

# As far as the last @ before the path: a password may itself hold an @, unescaped by mistake.
_USERINFO = re.compile(r"(?<=://)[^\s/?#'\"<>]*@(?=[^\s/?#'\"<>])")
HIDDEN = "***@"


def shown_uri(text: str) -> str:
    """Return a URI, or a text with URIs in it, in which `user:password@` is `***@`."""
    return _USERINFO.sub(HIDDEN, text)
