"""Who may sign in."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from flask import current_app
from werkzeug.security import check_password_hash, generate_password_hash

from service import audit
from service.admin.access import guesses, totp
from service.admin.access.guesses import Visit
from service.admin.parts.records import LARGEST_ID
from service.config import Config
from service.models import OWNER, User
from service.models.statement import Statement, loaded

# Checked when there is nothing to check, so that an unknown account takes as long to refuse as a known one.
DECOY = f"scrypt:32768:8:1${'decoy' * 3}${'0' * 128}"
# Asked by every page.
_VISITOR = Statement("SELECT * FROM users WHERE id = :id AND is_active")


class Visitor:
    """A signed-in user, in the shape that Flask-Login asks for."""

    is_authenticated, is_anonymous = True, False

    def __init__(self, user: User) -> None:
        self.user = user

    @property
    def is_active(self) -> bool:
        return bool(self.user.is_active)

    def get_id(self) -> str:
        """Bound to the password and the epoch: a new one of either ends every session that began with the old."""
        return f"{self.user.id}.{_stamp(self.user)}"


def load(session_id: str) -> Visitor | None:
    """The visitor of a session, unless the account was closed or its password changed since."""
    number, _, stamp = session_id.partition(".")
    is_id = number.isdecimal() and int(number) <= LARGEST_ID
    row = _VISITOR.named(id=int(number)) if is_id else None
    user = loaded(User, row) if row else None
    is_same = user is not None and hmac.compare_digest(stamp, _stamp(user))
    return Visitor(user) if user and is_same else None


def _stamp(user: User) -> str:
    key = str(current_app.secret_key).encode()
    now = f"{user.session_epoch} {user.password_hash}"
    return hmac.new(key, now.encode(), hashlib.sha256).hexdigest()[:20]


def lasting_key() -> str:
    config: Config = current_app.config["SLIPWAY"]
    return config.lasting_key


def normalise(email: str) -> str:
    return email.strip().lower()


class Refused(Exception):
    """The account can't be made or changed as asked. The message is for the person who asked."""


def is_email(text: str) -> bool:
    return "@" in text[1:-1] and len(text) <= 254


def add(email: str, role: str = OWNER) -> str:
    """A new user; returns the password."""
    address = normalise(email)
    if not is_email(address):
        raise Refused(f"{email!r} is not an email address, such as ann@example.com.")
    if User.select().where(User.email == address).exists():
        raise Refused(f"There is a user {address} already; `set-password` gives them a new password.")
    password = secrets.token_urlsafe(12)
    password_hash = generate_password_hash(password)
    User.create(email=address, name=address.partition("@")[0], password_hash=password_hash, role=role)
    audit.record(None, "person.add", address, details={"role": role})
    return password


def renew_password(email: str) -> str:
    """A new password, which ends every session of the user and any lock; returns it."""
    password = secrets.token_urlsafe(12)
    fresh = {"password_hash": generate_password_hash(password), "failed_sign_ins": 0, "locked_until": None}
    user = _named(email)
    User.update(fresh).where(User.id == user.id).execute()
    audit.record(None, "person.password", user.email)
    return password


def reset_totp(email: str) -> None:
    """For somebody who has lost their telephone: the password alone opens the panel again."""
    user = _named(email)
    if not user.totp_secret:
        raise Refused(f"{user.email} has no second step; `set-password` replaces a lost password.")
    totp.turn_off(user)
    audit.record(None, "second_step.off", user.email)


def _named(email: str) -> User:
    user: User | None = User.get_or_none(User.email == normalise(email))
    if user is None:
        known = ", ".join(user.email for user in User.select(User.email).order_by(User.id).limit(10)) or "nobody"
        raise Refused(f"There is no user {normalise(email)}. Who may sign in: {known}.")
    return user


def authenticate(email: str, password: str, visit: Visit) -> User | None:
    """The user, if the password is right and the account is not locked. Says nothing about why not."""
    user = User.get_or_none(User.email == normalise(email), User.is_active)
    may_try = guesses.claim(user, visit)
    is_right = check_password_hash(user.password_hash if user and may_try else DECOY, password)
    if user is None or not may_try:
        return None
    if not is_right:
        audit.record(user, "session.refuse", "a wrong password", address=visit.address)
    return user if is_right else None


def take_code(user: User, code: str, visit: Visit) -> bool:
    """Whether this code of the second step is right. It is counted like a password: six digits can be guessed. Raises
    seals.Unreadable where no code can be right, which counts for nothing."""
    totp.secret_of(user, lasting_key())
    if not guesses.claim(user, visit):
        return False
    is_right = totp.use(user, code, lasting_key())
    if not is_right:
        audit.record(user, "session.refuse", "a wrong code", address=visit.address)
    return is_right


def change_password(user: User, password_hash: str) -> None:
    """Ends every session that began with the old one."""
    changed = User.update(password_hash=password_hash).where(
        User.id == user.id, User.password_hash == user.password_hash
    )
    if not changed.execute():
        raise Refused("Your password was changed elsewhere in the meantime. Sign in with the new one.")
