"""The second step of a sign-in: a code of six digits, which a telephone makes anew every half minute (RFC 6238)."""

from __future__ import annotations

import hmac
import time

import pyotp
import segno
from markupsafe import Markup

from service.admin.access import seals
from service.models import User

ISSUER = "Slipway"
SECONDS = 30
# Clocks differ, and typing takes time: the code of before and the next one are right too.
TOLERANCE = 1


def new_secret() -> str:
    return pyotp.random_base32()


def address(secret: str, email: str) -> str:
    """What the telephone reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def picture(text: str) -> Markup:
    """The text as a QR code, dark on light whatever the page looks like: some telephones read nothing else."""
    # Any of the eight masks can be read; to compare them takes longer than the rest of the page.
    drawn = segno.make(text, error="m", mask=0).svg_inline(omitsize=True, light="#fff", svgclass="qr", lineclass=None)
    return Markup(drawn)  # noqa: S704  # lines and numbers alone


def step_of(secret: str, code: str, now: float | None = None) -> int | None:
    """The half minute, counted from 1970, whose code this is; None for no code of about now."""
    present = int(time.time() if now is None else now) // SECONDS
    codes = pyotp.HOTP(secret)
    typed = "".join(code.split()).encode("utf-8", "replace")
    steps = range(present - TOLERANCE, present + TOLERANCE + 1)
    return next((step for step in steps if hmac.compare_digest(codes.at(step).encode(), typed)), None)


def secret_of(user: User, secret_key: str) -> str:
    """Raises seals.Unreadable where SECRET_KEY is not the one of then."""
    return seals.unseal(user.totp_secret or "", secret_key)


def use(user: User, code: str, secret_key: str, now: float | None = None) -> bool:
    """Whether the code is right, and newer than every one that was used before: who looks on can't use it again. A
    secret from before secrets were sealed is sealed with its next use."""
    kept, secret = user.totp_secret or "", secret_of(user, secret_key)
    step = step_of(secret, code, now) if secret else None
    if step is None:
        return False
    is_newer = User.totp_step.is_null() | (User.totp_step < step)
    is_the_same = (User.id == user.id) & (User.totp_secret == kept)
    sealed = kept if seals.is_sealed(kept) else seals.seal(secret, secret_key)
    return bool(User.update(totp_step=step, totp_secret=sealed).where(is_the_same, is_newer).execute())


def turn_on(user: User, secret: str, step: int, secret_key: str) -> None:
    """From now on; the code that has proved it is used up. Other sessions began with less, and end."""
    sealed = seals.seal(secret, secret_key)
    fresh = {"totp_secret": sealed, "totp_step": step, "session_epoch": User.session_epoch + 1}
    User.update(fresh).where(User.id == user.id).execute()


def turn_off(user: User) -> None:
    User.update(totp_secret=None, totp_step=None).where(User.id == user.id).execute()
