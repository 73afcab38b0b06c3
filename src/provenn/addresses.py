"""Addresses as they may be shown: without the user's name and the password that a URI can carry."""

import re

HIDDEN = "***"
# `user:password@`, as far as the last @: a password may hold an unescaped @ or / by mistake, but a port ends before a
# path. Or else a name alone, which may be a token.
_USERINFO = re.compile(
    r"(?<=://)(?:[^\s/?#:@'\"<>]*:(?!\d+(?:[/?#]|$))[^\s'\"<>]*|[^\s/?#'\"<>]*)@(?=[^\s'\"<>])", re.ASCII
)
_QUERY = re.compile(r"(?i)([?&;](?:password|passwd|pwd|token|access_token|api_?key|secret|sig)=)[^&;#\s'\"<>]+")


def shown_uri(text: str) -> str:
    """Return a URI, or a text with URIs in it, in which `user:password@` is `***@`, and so is a password in a query."""
    return _QUERY.sub(rf"\1{HIDDEN}", _USERINFO.sub(f"{HIDDEN}@", text))
