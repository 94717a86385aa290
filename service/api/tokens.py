"""Keys to the HTTP API. A key is shown once, when it is made; kept are its hash and its first characters."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from service import audit
from service.chat import access
from service.database import connection, writing
from service.models import EDITOR, OWNER, VIEWER, ApiToken, User
from service.models.base import utc_now

CHAT, READ, WRITE, EXPORT, METRICS = "chat", "read", "write", "export", "metrics"
# scope: (what it allows, the least role whose tokens may have it)
SCOPES = {
    CHAT: ("send messages to chatbots and get the answers", EDITOR),
    READ: ("see and search chatbots, conversations, personas, tool calls and dead letters", VIEWER),
    WRITE: ("publish versions, change personas, delete conversations, retry and drop dead letters", EDITOR),
    EXPORT: ("download conversations as files", VIEWER),
    METRICS: ("see what the service counts of itself, over all chatbots", OWNER),
}
PREFIX, SHOWN = "slw_", 10
LONGEST = 100
# Not at each request: a busy token would write its row some hundred times a second.
USE_NOTED_EVERY = timedelta(minutes=1)


class Issued(NamedTuple):
    token: ApiToken
    key: str


def offered(user: User) -> list[str]:
    """The scopes that a token of this user may have."""
    return [scope for scope, (_words, role) in SCOPES.items() if access.has_role(user, role)]


def issue(
    user: User, name: str, scopes: Iterable[str], *, expires_at: datetime | None = None, address: str | None = None
) -> Issued:
    """A new token of the user, with an audit record. ValueError for a scope that the user can't give."""
    wanted = sorted(set(scopes))
    if not wanted:
        raise ValueError("Choose at least one scope.")
    if refused := sorted(set(wanted) - set(offered(user))):
        raise ValueError(f"{user.email} can't give: {', '.join(refused)}. Possible: {', '.join(offered(user))}.")
    key = PREFIX + secrets.token_urlsafe(32)
    with connection() as database, writing(database):
        token = ApiToken.create(
            user=user, name=name, prefix=key[:SHOWN], token_hash=_hash(key), scopes=wanted, expires_at=expires_at
        )
        audit.record(user, "token.issue", f"{name} ({token.prefix}…)", address=address, details={"scopes": wanted})
    return Issued(token, key)


def check(key: str) -> ApiToken | None:
    """The token with its user, if the key is one, not expired or revoked, and its user may still sign in. A wrong key
    takes as long as a right one: it is hashed and looked up, and the hash can't be approached letter by letter."""
    is_good = ApiToken.revoked_at.is_null() & (ApiToken.expires_at.is_null() | (ApiToken.expires_at > utc_now()))
    found: ApiToken | None = (
        ApiToken.select(ApiToken, User)
        .join(User)
        .where(ApiToken.token_hash == _hash(key[:LONGEST]), is_good, User.is_active)
        .get_or_none()
    )
    if found:
        _note_use(found)
    return found


def grants(token: ApiToken, scope: str) -> bool:
    """The token has the scope, and its user still has the role for it."""
    return scope in token.scopes and scope in offered(token.user)


def revoke(token: ApiToken, *, by: User, address: str | None = None) -> bool:
    """End the token, with an audit record; False when it had ended already."""
    with connection() as database, writing(database):
        ended = ApiToken.update(revoked_at=utc_now()).where(ApiToken.id == token.id, ApiToken.revoked_at.is_null())
        is_done = bool(ended.execute())
        if is_done:
            audit.record(by, "token.revoke", f"{token.name} ({token.prefix}…)", address=address)
    return is_done


def _note_use(token: ApiToken) -> None:
    now = utc_now()
    if token.last_used_at is None or now - token.last_used_at >= USE_NOTED_EVERY:
        ApiToken.update(last_used_at=now).where(ApiToken.id == token.id).execute()


def _hash(key: str) -> str:
    """Without salt or stretching: the keys are 256 random bits, which nobody guesses."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
