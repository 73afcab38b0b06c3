"""What must not be shown: lines that seem to hold a password or a key, and files whose names say so.

Yelp's detect-secrets knows most kinds by their form. It is imported by the first scan, which takes a fifth of a second.
"""

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

_NAMES = (
    *(
        ".env",
        ".env.*",
        "*.env",
        ".envrc",
        "*.pem",
        "*.key",
        "*.p12",
        "*.pfx",
        "*.jks",
        "*.keystore",
        "*.ppk",
        "*.kdbx",
    ),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "credentials*", "*.credentials", "secrets.*", ".secrets.*"),
    *(".netrc", "_netrc", ".pgpass", ".npmrc", ".pypirc", ".htpasswd", ".git-credentials", "kubeconfig", ".dockercfg"),
)
_FOLDERS = frozenset([".ssh", ".aws", ".gnupg", ".azure", ".gcloud", ".kube"])
# Forms that detect-secrets 1.5 does not know, or knows in fewer places.
_FORMS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAGE-SECRET-KEY-1\w{20,}"
    r"|\bA[KS]IA[0-9A-Z]{16}\b|\bAIza[\w-]{35}|\bya29\.[\w-]{20,}|\bhf_[A-Za-z0-9]{30,}|\bdapi[0-9a-f]{32}\b"
    r"|\bgh[pousr]_\w{30,}|\bgithub_pat_\w{30,}|\bgl[a-z]{2,6}-[\w-]{20,}|\bnpm_[A-Za-z0-9]{36}|\bpypi-\w[\w-]{20,}"
    r"|\bxox[a-z]-[\w-]{10,}|\bxapp-[\w-]{10,}|hooks\.slack\.com/services/T|discord(?:app)?\.com/api/webhooks/\d"
    r"|\bsk-[\w-]{20,}|\b[rs]k_live_\w{10,}|\bshp[a-z]{2}_[0-9a-f]{32}|\bdo[opr]_v1_[0-9a-f]{32,}"
    r"|(?i:account_?key|shared_?access_?key|[?&]sig)=[\w+/%-]{20,}"
    r"|(?i:\b(?:bearer|basic)\s+(?=\S*\d)[\w.~+/-]{16,})"
    r"|://[^/\s:@]*:(?!\d+/)[^\s'\"@]+@"
)
_NAMED = (
    r"(?i:pass(?:word|wd|phrase)?|pwd|secret|token|credential"
    r"|(?:api|access|auth|account|private|client|secret)[_-]?key)"
)
_QUOTED = re.compile(_NAMED + r"[\"'\]]*\s*(?::=|=>|[:=])\s*[\"'][^\s\"'(){}\[\]<>$]{8,}")
_UNQUOTED = re.compile(_NAMED + r"[\"'\]]*\s*(?::=|=>|[:=])\s*[^\s\"'(){}\[\]<>$]{8,}")
_NUMBER = re.compile(_NAMED + r"[\"'\]]*\s*[:=]\s*\d[^\s\"'(){}\[\]<>$,]{7,}")
_RANDOM = re.compile(r"[\"']([\w+/=-]{20,200})[\"']|[:=]\s*([\w+/=-]{20,200})\s*[,;]?\s*$")
# In these a value without quotes is a name of the program, not a secret.
_PROGRAMS = frozenset(
    [".py", ".pyi", ".ipynb", ".r", ".jl", ".c", ".cpp", ".h", ".cu", ".rs", ".go", ".java", ".js", ".ts"]
)
# Of those that tell a secret by where it stands ours are kept to; addresses and digests of files are none here.
_LEFT_OUT = frozenset(["IPPublicDetector", "HexHighEntropyString", "Base64HighEntropyString", "KeywordDetector"])
_RANDOM_BITS = 4.0  # a character; of hexadecimal digits at most 4
_PART, _OVERLAP = 4000, 300  # characters of a long line: some expressions take the square of its length


def holds_secrets(path: str) -> bool:
    """Return whether a file's name, or that of a folder that it lies in, says that it is for secrets."""
    place = PurePosixPath(path.lower())
    return any(fnmatch(place.name, name) for name in _NAMES) or not _FOLDERS.isdisjoint(place.parts)


@lru_cache(maxsize=8)  # all stages of a pipeline carry one patch
def why_hidden(patch: str) -> str | None:
    """Return why a patch must not be shown: it seems to hold a secret, whose place and kind are told; else None.

    Lines that the patch takes away or only shows as context are looked at too: they would be shown as well.
    """
    try:
        detectors = _detectors()
    except ModuleNotFoundError as error:
        return f"the package {error.name} is missing, which looks for keys in it: install it with pip"
    for path, line in _lines(patch):
        kind = "by its name" if holds_secrets(path) else _kind(line, PurePosixPath(path).suffix.lower(), detectors)
        if kind:
            return f"a line looks like a password or a key: {path} ({kind})"
    return None


def _lines(patch: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a patch with their files, and of each file an empty one: it may have none, being binary."""
    path, heading = "", True
    for line in patch.split("\n"):
        if line.startswith("diff --git "):
            path, heading = line.rpartition(" b/")[2].rstrip('"'), True
            yield path, ""
        elif line.startswith("@@"):
            heading = False
        elif not heading:
            step = _PART - _OVERLAP
            yield from ((path, line[start : start + _PART]) for start in range(1, max(len(line), 2), step))


def _kind(line: str, suffix: str, detectors: list[tuple[str, Callable[[str], Any]]]) -> str | None:
    if len(line) < 8:
        return None
    if _FORMS.search(line):
        return "a key by its form"
    if any(rule.search(line) for rule in (_QUOTED, _NUMBER if suffix in _PROGRAMS else _UNQUOTED)):
        return "a value by its name"
    if any(_is_random(quoted or bare) for quoted, bare in _RANDOM.findall(line)):
        return "a random text"
    return next((kind for kind, detect in detectors if any(detect(line))), None)


def _is_random(text: str) -> bool:
    """Return whether a text has the mixture of letters and digits of a key, and not that of a path or a digest."""
    import math

    kinds = (any(map(test, text)) for test in (str.islower, str.isupper, str.isdigit))
    if text.startswith(("sha256-", "sha384-", "sha512-")) or not all(kinds):
        return False
    shares = (text.count(letter) / len(text) for letter in set(text))
    return -sum(share * math.log2(share) for share in shares) > _RANDOM_BITS


def _detectors() -> list[tuple[str, Callable[[str], Any]]]:
    """Return what detect-secrets tells by the form alone; asked in this way, it verifies nothing online."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.settings import transient_settings

    with transient_settings({"plugins_used": [], "filters_used": []}):
        known: dict[str, Any] = get_mapping_from_secret_type_to_class()
    return [(kind, plugin().analyze_string) for kind, plugin in known.items() if plugin.__name__ not in _LEFT_OUT]
