"""How often somebody may guess a password or a code.

Three counts share the work, so that guessing is slow and nobody can be kept out of their own account:

- the account: five free tries, then a lock that grows up to a quarter of an hour. It stops a guess from many addresses.
- the address: so many tries in a quarter of an hour, whatever the account. It stops one guess at many accounts.
- the browser: one that the person has signed in with before has a count of its own, and neither of the others. So a
  stranger who keeps an account locked keeps out other strangers; its owner comes in as always.

`set-password` on the command line lifts a lock for somebody who has no such browser."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import peewee as pw

from service import limits
from service.admin.access import devices
from service.models import User
from service.models.base import utc_now

FREE_TRIES = 5
# After the fifth wrong try, and after each one that follows.
LOCKS = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 240, 480, 900))
WINDOW = 900  # seconds
TRIES_OF_AN_ADDRESS = 60
TRIES_OF_A_BROWSER = 20


class Visit(NamedTuple):
    """From where somebody tries: their address, and the cookies of their browser."""

    address: str = ""
    cookies: Mapping[str, str] = {}


class TooMany(Exception):
    """Not now, whoever it is; `wait` in seconds."""

    def __init__(self, wait: int) -> None:
        self.wait = wait
        super().__init__(f"too many tries; {wait} s to wait")


def claim(user: User | None, visit: Visit) -> bool:
    """Count one more try, before it is looked at: a hundred at once get no more than as many one by one. False while
    the account is locked; TooMany where the address or the browser has had enough."""
    browser = devices.known(user, visit.cookies) if user else None
    if browser:
        _take(f"sign-in browser {browser}", TRIES_OF_A_BROWSER)
        return True
    _take(f"sign-in address {neighbourhood(visit.address)}", TRIES_OF_AN_ADDRESS)
    return user is not None and _claim_try(user)


def forgive(user: User, visit: Visit) -> None:
    """The try was right. From a known browser it says nothing about the guesses of strangers."""
    if not devices.known(user, visit.cookies):
        User.update(failed_sign_ins=0, locked_until=None).where(User.id == user.id).execute()


def neighbourhood(address: str) -> str:
    """The address; of IPv6 the /64, since whoever has one address in it has them all."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(number, ipaddress.IPv4Address):
        return str(number)
    return str(number.ipv4_mapped or ipaddress.ip_network((number, 64), strict=False))


def _take(name: str, limit: int) -> None:
    verdict = limits.take(name, limit=limit, seconds=WINDOW)
    if not verdict.is_allowed:
        raise TooMany(verdict.wait)


def _claim_try(user: User) -> bool:
    now = utc_now()
    is_free = User.locked_until.is_null() | (User.locked_until <= now)
    claimed = User.update(failed_sign_ins=User.failed_sign_ins + 1, locked_until=_lock(now))
    return bool(claimed.where(User.id == user.id, is_free).execute())


def _lock(now: datetime) -> Any:
    """When the lock that this try brings ends; the database reads the count as it was before this try."""
    steps: list[tuple[Any, Any]] = [(User.failed_sign_ins < FREE_TRIES - 1, None)]
    steps += [(User.failed_sign_ins == FREE_TRIES - 1 + n, now + lock) for n, lock in enumerate(LOCKS)]
    return pw.Case(None, steps, now + LOCKS[-1])
