"""The second step of a sign-in: a code of six digits, which a telephone makes anew every half minute (RFC 6238)."""

from __future__ import annotations

import hmac
import time

import pyotp
import segno
from markupsafe import Markup

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
    drawn = segno.make(text, error="m").svg_inline(omitsize=True, light="#fff", svgclass="qr", lineclass=None)
    return Markup(drawn)  # noqa: S704  # lines and numbers alone


def step_of(secret: str, code: str, now: float | None = None) -> int | None:
    """The half minute, counted from 1970, whose code this is; None for no code of about now."""
    present = int(time.time() if now is None else now) // SECONDS
    codes = pyotp.HOTP(secret)
    typed = "".join(code.split()).encode("utf-8", "replace")
    steps = range(present - TOLERANCE, present + TOLERANCE + 1)
    return next((step for step in steps if hmac.compare_digest(codes.at(step).encode(), typed)), None)


def use(user: User, code: str, now: float | None = None) -> bool:
    """Whether the code is right, and newer than every one that was used before: who looks on can't use it again."""
    step = step_of(user.totp_secret, code, now) if user.totp_secret else None
    if step is None:
        return False
    is_newer = User.totp_step.is_null() | (User.totp_step < step)
    is_the_same = (User.id == user.id) & (User.totp_secret == user.totp_secret)
    return bool(User.update(totp_step=step).where(is_the_same, is_newer).execute())


def turn_on(user: User, secret: str, step: int) -> None:
    """From now on; the code that has proved it is used up. Other sessions began with less, and end."""
    fresh = {"totp_secret": secret, "totp_step": step, "session_epoch": User.session_epoch + 1}
    User.update(fresh).where(User.id == user.id).execute()


def turn_off(user: User) -> None:
    User.update(totp_secret=None, totp_step=None).where(User.id == user.id).execute()
