"""Secrets at rest: encrypted with a key made from SECRET_KEY, so that a copy of the database alone gives none away."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# No secret that is kept as it is holds a colon.
MARK = "sealed:"


class Unreadable(Exception):
    """What was sealed with another SECRET_KEY."""


def is_sealed(kept: str) -> bool:
    return kept.startswith(MARK)


def seal(text: str, secret_key: str) -> str:
    """As it is to be kept; without a SECRET_KEY that outlives a restart the text itself, or nobody could open it."""
    return MARK + _fernet(secret_key).encrypt(text.encode()).decode() if secret_key else text


def unseal(kept: str, secret_key: str) -> str:
    """What was sealed; what was kept as it is, as it is."""
    if not is_sealed(kept):
        return kept
    try:
        return _fernet(secret_key).decrypt(kept.removeprefix(MARK)).decode()
    except InvalidToken:
        raise Unreadable from None


def _fernet(secret_key: str) -> Fernet:
    """With a key for this purpose alone: sessions are signed with SECRET_KEY itself."""
    derived = HKDF(SHA256(), length=32, salt=None, info=b"slipway: secrets at rest").derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
