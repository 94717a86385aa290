"""Keys to the HTTP API: shown once, checked often, ended at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from service.api import tokens
from service.api.tokens import CHAT, EXPORT, METRICS, READ, WRITE
from service.models import EDITOR, OWNER, VIEWER, ApiToken, AuditEvent, User
from service.models.base import utc_now
from tests.support.chat import make_user
from tests.support.panel import ONE_ENGINE, at_once

pytestmark = pytest.mark.usefixtures("service_database")


def make_issued(user: User | None = None, **settings: Any) -> tokens.Issued:
    return tokens.issue(user or make_user(), "Nightly report", [READ], **settings)


def with_role(role: str) -> User:
    user = make_user()
    user.role = role
    user.save()
    return user


def test_a_key_opens_and_is_nowhere_kept() -> None:
    user = make_user()
    token, key = make_issued(user)
    checked = tokens.check(key)
    assert checked == token
    assert checked.user == user
    assert key.startswith(token.prefix)
    kept = str(list(ApiToken.select().dicts())) + str(list(AuditEvent.select().dicts()))
    assert key not in kept
    assert key[len(token.prefix) :] not in kept


def test_no_two_keys_are_alike() -> None:
    assert len({make_issued().key for _ in range(20)}) == 20


@ONE_ENGINE
@pytest.mark.parametrize(
    "change", [str.upper, lambda key: key[:-1], lambda key: key + "x", lambda _key: "", lambda _key: "x" * 10**6]
)
def test_what_is_not_quite_the_key_opens_nothing(change: Any) -> None:
    assert tokens.check(change(make_issued().key)) is None


@ONE_ENGINE
def test_the_hash_is_no_key() -> None:
    assert tokens.check(make_issued().token.token_hash) is None


def test_an_expired_token_opens_nothing() -> None:
    now = utc_now()
    assert tokens.check(make_issued(expires_at=now + timedelta(hours=1)).key)
    assert tokens.check(make_issued(expires_at=now).key) is None


def test_a_revoked_token_opens_nothing_and_is_revoked_once() -> None:
    user = make_user()
    token, key = make_issued(user)
    revoked: list[bool] = []
    at_once(3, lambda: revoked.append(tokens.revoke(token, by=user, address="192.0.2.7")))
    assert sorted(revoked) == [False, False, True]
    assert tokens.check(key) is None
    events = AuditEvent.select().where(AuditEvent.action == "token.revoke")
    assert [(event.user, event.address) for event in events] == [(user, "192.0.2.7")]


def test_a_token_of_somebody_who_may_not_sign_in_opens_nothing() -> None:
    user = make_user()
    _token, key = make_issued(user)
    User.update(is_active=False).where(User.id == user.id).execute()
    assert tokens.check(key) is None


def test_the_last_use_is_noted_once_a_minute() -> None:
    token, key = make_issued()
    tokens.check(key)
    first = ApiToken.get_by_id(token.id).last_used_at
    assert first is not None
    tokens.check(key)
    assert ApiToken.get_by_id(token.id).last_used_at == first
    earlier = utc_now() - timedelta(seconds=61)
    ApiToken.update(last_used_at=earlier).execute()
    tokens.check(key)
    assert ApiToken.select().where(ApiToken.last_used_at > earlier).exists()


@ONE_ENGINE
@pytest.mark.parametrize(
    ("role", "scopes"),
    [(OWNER, [CHAT, READ, WRITE, EXPORT, METRICS]), (EDITOR, [CHAT, READ, WRITE, EXPORT]), (VIEWER, [READ, EXPORT])],
)
def test_a_role_decides_on_the_scopes(role: str, scopes: list[str]) -> None:
    assert tokens.offered(with_role(role)) == scopes


@ONE_ENGINE
@pytest.mark.parametrize(("scopes", "named"), [([WRITE, READ], "write"), (["root"], "root"), ([], "at least one")])
def test_nobody_gives_what_they_have_not(scopes: list[str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        tokens.issue(with_role(VIEWER), "Too much", scopes)
    assert ApiToken.select().count() == AuditEvent.select().count() == 0


@ONE_ENGINE
def test_a_token_loses_what_its_user_loses() -> None:
    user = make_user()
    _token, key = tokens.issue(user, "Editor's", [READ, WRITE])
    User.update(role=VIEWER).where(User.id == user.id).execute()
    token = tokens.check(key)
    assert token
    assert [tokens.grants(token, scope) for scope in (READ, WRITE, CHAT)] == [True, False, False]
