"""What the people of the panel may do, and who still comes in. One owner stays, whatever happens at once.

Each verb belongs into a transaction of its caller, beside the record of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from service.admin.access.accounts import Refused
from service.models import OWNER, Creator, CreatorUser, Invitation, User

Verb = Callable[[User], None]


def change_role(user: User, role: str) -> None:
    if role != OWNER:
        _keep_an_owner_besides(user)
    _change(user, role=role)
    if role != OWNER:
        _withdraw_invitations_by(user)


def close(user: User) -> None:
    """They can't sign in any more, and are signed out. What they made stays."""
    _keep_an_owner_besides(user)
    _change(user, is_active=False, session_epoch=User.session_epoch + 1)
    _withdraw_invitations_by(user)


def open_again(user: User) -> None:
    _change(user, is_active=True, failed_sign_ins=0, locked_until=None)


def end_sessions(user: User) -> None:
    """Every session that has begun until now, in every browser."""
    _change(user, session_epoch=User.session_epoch + 1)


def of(user: User) -> set[int]:
    """The numbers of the creators whose chatbots the user sees."""
    rows: Any = CreatorUser.select(CreatorUser.creator).where(CreatorUser.user == user).tuples()
    return {number for (number,) in rows}


def put_in(user: User, creators: Iterable[Creator], expected: set[int]) -> None:
    """The creators whose chatbots the user sees are these, and no other; they were those that are expected."""
    _hold(user)
    if of(user) != expected:
        raise Refused(f"Somebody else has changed the teams of {user.email} in the meantime. Look at them again.")
    wanted = {creator.id for creator in creators}
    of_user = CreatorUser.user == user
    CreatorUser.delete().where(of_user, CreatorUser.creator.not_in(wanted)).execute()
    missing = [{"creator": number, "user": user} for number in sorted(wanted)]
    if missing:
        CreatorUser.insert_many(missing).on_conflict_ignore().execute()


def _hold(user: User) -> None:
    """Until the transaction ends, nobody else changes what belongs to them here. SQLite holds the whole database."""
    row = User.select(User.id).where(User.id == user.id)
    list(row.for_update() if User._meta.database.for_update else row)


def _change(user: User, **values: Any) -> None:
    """Nothing that somebody else has changed since it was looked at."""
    unchanged = (User.id == user.id) & (User.role == user.role) & (User.is_active == user.is_active)
    if not User.update(values).where(unchanged).execute():
        raise Refused(f"Somebody else has changed {user.email} in the meantime. Look at them again.")


def _keep_an_owner_besides(user: User) -> None:
    """Holds all owners until the transaction ends: of two who put each other out at once, the second finds the first
    gone. SQLite holds the whole database already."""
    owners = User.select().where(User.role == OWNER, User.is_active).order_by(User.id)
    if User._meta.database.for_update:
        owners = owners.for_update()
    if user.role == OWNER and not [owner for owner in owners if owner.id != user.id]:
        raise Refused(f"{user.email} is the only owner. Make somebody else an owner first.")


def _withdraw_invitations_by(user: User) -> None:
    """Who may not invite any more leaves no door open."""
    Invitation.delete().where(Invitation.invited_by == user, Invitation.accepted_at.is_null()).execute()
