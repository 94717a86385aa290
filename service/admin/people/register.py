"""Who there is, a page at a time: those who may sign in come first, then by their email."""

from __future__ import annotations

from typing import Any

from service.admin.access import invitations
from service.admin.parts import paging
from service.admin.parts.forms import is_storable
from service.admin.parts.paging import Page
from service.admin.parts.records import LARGEST_ID
from service.models import Creator, CreatorUser, Invitation, User
from service.models.base import caseless

PAGE_SIZE = 50


def page(wanted: str, after: int) -> Page[User]:
    """Those whose name or email holds the wanted text, from behind the person of that number on."""
    query: Any = User.select()
    if wanted and is_storable(wanted):
        query = query.where(User.name.contains(wanted) | User.email.contains(wanted))
    last = User.get_or_none(User.id == after) if 0 < after <= LARGEST_ID else None
    if last:
        is_alike = User.is_active == last.is_active
        query = query.where((User.is_active < last.is_active) | (is_alike & (User.email > last.email)))
    return paging.take(list(query.order_by(User.is_active.desc(), User.email).limit(PAGE_SIZE + 1)), PAGE_SIZE)


def invited(wanted: str) -> list[Invitation]:
    """Who is not here yet; found by the email too, so that nobody is invited twice who was only looked for."""
    return [invitation for invitation in invitations.waiting() if wanted.lower() in invitation.email]


def teams_of(people: list[User]) -> dict[int, list[str]]:
    """The names of the teams that each person is in, by the person's id."""
    named: dict[int, list[str]] = {}
    memberships: Any = CreatorUser.select(CreatorUser.user, Creator.name).join(Creator).order_by(caseless(Creator.name))
    for user_id, name in memberships.where(CreatorUser.user.in_(people)).tuples():
        named.setdefault(user_id, []).append(name)
    return named
