"""Signatures of models as OpenSSF Model Signing has them: one a model, which its own tool checks as well.

That tool makes them. Here they are checked without it, as the signed statements that they hold: importing it takes as
long as checking all the rest.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenn.files import atomic_path

if TYPE_CHECKING:
    from securesystemslib.signer import Key

KIND = "https://model_signing/signature/v1.0"


def why_not(key: "Key", path: Path) -> str | None:
    """Return why models cannot be signed with the key in a file, or None when they can."""
    from importlib.util import find_spec

    if not key.scheme.startswith("ecdsa-sha2-nistp"):
        return f"{path} is a key for {key.scheme}, and they want one for ECDSA: move it away, and such a one is made"
    return None if find_spec("model_signing") else "that needs `pip install 'provenn[export]'`"


def sign_model(model: Path, key: Path, signature: Path) -> None:
    """Sign a model, a file or a folder, with the private key in a file of PEM."""
    from model_signing import hashing, signing

    # DVC's outputs may be links into its cache.
    links = hashing.Config().set_allow_symlinks(True)  # type: ignore[no-untyped-call]
    with atomic_path(signature) as temporary:
        signer = signing.Config().use_elliptic_key_signer(private_key=key)  # type: ignore[no-untyped-call]
        signer.set_hashing_config(links).sign(model, temporary)


def difference(statement: Mapping[str, Any], members: Mapping[str, str]) -> str | None:
    """Return the first file of a model that is not as it was signed, or None; `members` are its files' SHA-256.

    Raises KeyError, TypeError or ValueError for what is no statement on a model.
    """
    if statement["predicateType"] != KIND:
        raise ValueError(statement["predicateType"])
    predicate = statement["predicate"]
    signed = {one["name"]: (one["algorithm"], one["digest"]) for one in predicate["resources"]}
    ignored = predicate["serialization"].get("ignore_paths", [])
    here = {name: ("sha256", value) for name, value in members.items() if name.partition("/")[0] not in ignored}
    return min((name for name in {*signed, *here} if signed.get(name) != here.get(name)), default=None)
