"""A request that is sent again with the same key is done once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from service.api import idempotency
from service.chat import creation
from service.models import AuditEvent, Chatbot, IdempotencyKey
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.api import Program, error_of, program
from tests.support.panel import ONE_ENGINE, at_once, panel

KEY = {"Idempotency-Key": "4f1c"}


@pytest.fixture
def caller(service_database: DatabaseUrl) -> Program:
    return program(panel(service_database))


def create(caller: Program, title: str = "New") -> Any:
    return caller.post("/chatbots", {"title": title}, headers=KEY)


def test_the_same_request_gets_the_same_answer_and_is_done_once(caller: Program) -> None:
    first, again = create(caller), create(caller)
    assert (first.status_code, first.text) == (again.status_code, again.text)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (Chatbot.select().count(), AuditEvent.select().where(AuditEvent.action == "chatbot.create").count()) == (
        1,
        1,
    )


def test_those_who_come_at_once_are_done_once(caller: Program, service_database: DatabaseUrl) -> None:
    statuses: list[int] = []
    programs = [Program(caller.client.application, caller.key) for _ in range(4)]
    at_once(4, lambda: statuses.append(create(programs.pop()).status_code))
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert Chatbot.select().count() == 1


def test_another_request_with_the_key_is_refused(caller: Program) -> None:
    create(caller)
    for response in (create(caller, "Other"), caller.post("/personas", {"name": "New"}, headers=KEY)):
        assert (response.status_code, error_of(response)) == (422, "key_reused")
    assert Chatbot.select().count() == 1


def test_keys_of_two_tokens_are_two(caller: Program) -> None:
    create(caller)
    assert create(program(caller.client.application)).status_code == 201
    assert Chatbot.select().count() == 2


def test_while_the_first_is_worked_on_the_second_is_told_so(caller: Program) -> None:
    create(caller)
    IdempotencyKey.update(status=None, response=None).execute()
    response = create(caller)
    assert (response.status_code, error_of(response)) == (409, "conflict")
    assert response.headers["Retry-After"] == "1"


def test_what_a_killed_process_left_is_taken_over(caller: Program) -> None:
    create(caller)
    IdempotencyKey.update(
        status=None, response=None, created_at=utc_now() - idempotency.ABANDONED - timedelta(seconds=1)
    ).execute()
    assert create(caller).status_code == 201


def test_after_a_day_the_key_is_free(caller: Program) -> None:
    create(caller)
    IdempotencyKey.update(created_at=utc_now() - idempotency.KEPT - timedelta(seconds=1)).execute()
    assert "Idempotent-Replayed" not in create(caller, "Another day").headers
    assert Chatbot.select().count() == 2


def test_a_refused_request_leaves_its_key_free(caller: Program) -> None:
    assert caller.post("/chatbots/987/versions/1/make-current", {}, headers=KEY).status_code == 404
    assert create(caller).status_code == 201


def test_what_fails_leaves_neither_change_nor_key(caller: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_given: object, **_words: object) -> None:
        raise RuntimeError("The audit log can't be written.")

    with monkeypatch.context() as patched:
        patched.setattr("service.api.changes.note", full)
        assert create(caller).status_code == 500
    assert (Chatbot.select().count(), IdempotencyKey.select().count()) == (0, 0)
    assert create(caller).status_code == 201


def test_who_was_overtaken_changes_nothing(caller: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process was so slow that another one took its key over."""
    made = creation.create

    def slow(*given: Any) -> Any:
        IdempotencyKey.delete().execute()
        return made(*given)

    monkeypatch.setattr(creation, "create", slow)
    assert create(caller).status_code == 409
    assert Chatbot.select().count() == 0


@ONE_ENGINE
@pytest.mark.parametrize("key", ["", "a key", "x" * 201, "é", "\x07"])
def test_a_key_that_can_not_be_kept_is_refused(caller: Program, key: str) -> None:
    response = caller.post("/chatbots", {"title": "New"}, headers={"Idempotency-Key": key})
    assert (response.status_code, error_of(response)) == (422, "invalid")
    assert Chatbot.select().count() == 0
