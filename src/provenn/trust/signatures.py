"""Signing statements with a key of one's own, and knowing by which key a statement was signed.

DSSE envelopes (https://github.com/secure-systems-lab/dsse) from securesystemslib, without network. An own key is one
for ECDSA on P-256, since models cannot be signed with Ed25519.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenn.files import UserError, one_line, write_bytes, write_json

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def own_key() -> Path:
    """Return where a user's private key lies: in XDG_CONFIG_HOME, by default ~/.config."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "provenn" / "key.pem"


def load_signer(path: Path, *, create: bool = False) -> "CryptoSigner":
    """Return the signer of a private key in PEM; `create` makes one on P-256 where there is none, for its user alone.

    Raises UserError for a file that is no private key without a password.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    try:
        if create and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(CryptoSigner.generate_ecdsa().private_bytes)
        return CryptoSigner(load_pem_private_key(path.read_bytes(), password=None))
    except Exception as error:  # of the system, of cryptography's parser, of a kind of key that nobody signs with
        raise UserError(
            f"{path} cannot be signed with ({one_line(error)[:-1]}): name a private key in PEM without a password, or "
            "leave --key out, and one is made."
        ) from None


def load_public_keys(paths: Iterable[Path]) -> "list[Key]":
    """Return the public keys of PEM files; UserError for a file that is none."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    keys: list[Key] = []
    for path in paths:
        try:
            keys.append(SSlibKey.from_crypto(load_pem_public_key(path.read_bytes())))
        except Exception as error:  # as above
            raise UserError(f"{path} is no public key in PEM ({one_line(error)[:-1]}).") from None
    return keys


def write_signed(path: Path, statement: dict[str, Any], signer: "CryptoSigner") -> None:
    """Write a statement in a signed envelope."""
    from securesystemslib.dsse import Envelope

    payload = json.dumps(statement, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(signer)
    write_json(path, envelope.to_dict())


def write_public_key(folder: Path, signer: "CryptoSigner") -> Path:
    """Write the public half of a key into a folder, in PEM and named by its key id; return the file."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    path = folder / f"{signer.public_key.keyid[:16]}.pem"
    if not path.is_file():
        public = load_pem_private_key(signer.private_bytes, password=None).public_key()
        write_bytes(path, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def read_signed(path: Path, keys: "list[Key]") -> tuple[dict[str, Any], str]:
    """Return a statement, of an envelope or of one in a bundle of Sigstore, and the id of the key that signed it.

    Raises ValueError with a reason when it is no envelope, or not signed by one of the keys as it stands.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    try:
        envelope = Envelope.from_dict(_envelope(json.loads(path.read_bytes()), keys))
        statement = json.loads(envelope.payload)
    except Exception as error:  # whatever a damaged file makes of the parsers
        raise ValueError(f"is no signed statement: {one_line(error)[:-1]}") from None
    if envelope.payload_type != PAYLOAD_TYPE or not isinstance(statement, dict):
        raise ValueError("is no in-toto statement")
    if not {key.keyid for key in keys} & set(envelope.signatures):
        raise ValueError(f"was signed by another key: {', '.join(envelope.signatures) or 'none'}")
    try:
        signed_by = envelope.verify(keys, 1)
    except VerificationError:
        raise ValueError("is not what the key signed") from None
    return statement, next(iter(signed_by))


def _envelope(content: dict[str, Any], keys: "list[Key]") -> dict[str, Any]:
    """Return the envelope; a bundle names its key by the SHA-256 of the PEM, instead of by an id in the envelope."""
    if "dsseEnvelope" not in content:
        return content
    hint = content["verificationMaterial"]["publicKey"]["hint"]
    known = {hashlib.sha256(str(key.keyval["public"]).encode()).hexdigest(): key.keyid for key in keys}
    signatures = [{**one, "keyid": known.get(hint, hint)} for one in content["dsseEnvelope"]["signatures"]]
    return {**content["dsseEnvelope"], "signatures": signatures}
