"""Links that let somebody in, once and for a week. Only the hash of a link's token is kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

import peewee as pw

from service import audit
from service.admin.access.accounts import Refused, is_email, normalise
from service.database import proxy, writing
from service.models import Creator, CreatorUser, Invitation, User
from service.models.base import utc_now

LIFETIME = timedelta(days=7)


def issue(email: str, role: str, creator: Creator | None, by: User) -> str:
    """The token of a new invitation, which takes the place of an older one to the same person."""
    address = normalise(email)
    if not is_email(address):
        raise Refused(f"{email!r} is not an email address, such as ann@example.com.")
    if User.select().where(User.email == address).exists():
        raise Refused(f"{address} has an account already. Change what they may do on their page.")
    Invitation.delete().where(Invitation.email == address, Invitation.accepted_at.is_null()).execute()
    token = secrets.token_urlsafe(32)
    Invitation.create(
        email=address,
        role=role,
        creator=creator,
        token_hash=_hash(token),
        invited_by=by,
        expires_at=utc_now() + LIFETIME,
    )
    return token


def renew(invitation: Invitation, by: User) -> str:
    """Another token and another week; the link of before opens nothing any more."""
    token = secrets.token_urlsafe(32)
    fresh = {"token_hash": _hash(token), "invited_by": by, "expires_at": utc_now() + LIFETIME}
    _only_if_open(Invitation.update(fresh), invitation)
    return token


def withdraw(invitation: Invitation) -> None:
    _only_if_open(Invitation.delete(), invitation)


def waiting() -> list[Invitation]:
    """Those that nobody has accepted yet, also where their week is over; the newest first."""
    query = (
        Invitation.select(Invitation, User, Creator)
        .join(User, pw.JOIN.LEFT_OUTER)
        .switch(Invitation)
        .join(Creator, pw.JOIN.LEFT_OUTER)
        .where(Invitation.accepted_at.is_null())
    )
    return list(query.order_by(Invitation.id.desc()))


def find(token: str) -> Invitation | None:
    """The invitation that this link opens now."""
    found: Invitation | None = Invitation.get_or_none(_is_good(token))
    return found


def accept(token: str, name: str, password_hash: str, address: str | None) -> User:
    """The new user. Of two who accept at once, one gets in; Refused for the other."""
    try:
        with writing(proxy.obj):
            user = _accept(token, name, password_hash)
            audit.record(user, "invitation.accept", user.email, address=address, details={"role": user.role})
            return user
    except pw.IntegrityError:
        raise Refused("There is an account with this email by now. Sign in with it.") from None


def _accept(token: str, name: str, password_hash: str) -> User:
    invitation = find(token)
    claimed = Invitation.update(accepted_at=utc_now()).where(_is_good(token)).execute()
    if invitation is None or not claimed:
        raise Refused("This invitation was used a moment ago.")
    user: User = User.create(email=invitation.email, name=name, password_hash=password_hash, role=invitation.role)
    if invitation.creator:
        CreatorUser.create(creator=invitation.creator, user=user)
    return user


def _is_good(token: str) -> pw.Expression:
    is_open: pw.Expression = Invitation.accepted_at.is_null() & (Invitation.expires_at > utc_now())
    return (Invitation.token_hash == _hash(token)) & is_open


def _only_if_open(query: pw.ModelUpdate | pw.ModelDelete, invitation: Invitation) -> None:
    if not query.where(Invitation.id == invitation.id, Invitation.accepted_at.is_null()).execute():
        raise Refused(f"The invitation of {invitation.email} was accepted or withdrawn in the meantime.")


def _hash(token: str) -> str:
    """Of 256 random bits: there is nothing to guess, so a quick hash will do."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
