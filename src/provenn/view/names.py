"""Names of metrics, parameters and tags as MLflow takes them."""

import re
from collections.abc import Iterable

NAME_LENGTH = 250


def clean_name(name: str) -> str:
    """Return a name as MLflow takes it: letters, digits, and _ - . space : / only, and as a path one below its top."""
    parts = re.sub(r"[^\w\-. :/]", "_", name).split("/")
    clean = "/".join(part for part in parts if part not in ("", ".", ".."))[:NAME_LENGTH].rstrip("/")
    return (clean.lstrip("./") if clean.startswith("..") else clean) or "_"


def clean_names(names: Iterable[str]) -> dict[str, str]:
    """Return each name as MLflow takes it, with a number where another one would look the same."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        clean = clean_name(name)
        tries = (f"{clean[: NAME_LENGTH - 4]}_{number}" for number in range(2, 1000))
        found[name] = next(one for one in (clean, *tries) if one not in taken)
        taken.add(found[name])
    return found
