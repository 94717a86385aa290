"""What programs change over the HTTP API, and the record that is kept of it."""

from __future__ import annotations

from typing import Any

import pytest

from service.chat import versions
from service.models import (
    DEAD,
    DONE,
    QUEUED,
    AuditEvent,
    Chatbot,
    ChatbotVersion,
    Conversation,
    InboxItem,
    Message,
    Persona,
    User,
)
from service.url import DatabaseUrl
from tests.support.api import Program, Values, error_of, furnish, program, stored
from tests.support.chat import send
from tests.support.panel import ONE_ENGINE, add_user, at_once, panel


@pytest.fixture
def user(service_database: DatabaseUrl) -> User:
    return add_user()


@pytest.fixture
def world(user: User) -> Values:
    return furnish(user)


@pytest.fixture
def caller(world: Values, user: User, service_database: DatabaseUrl) -> Program:
    return program(panel(service_database), user)


def recorded(action: str) -> AuditEvent:
    """The one record of such a change."""
    events = list(AuditEvent.select().where(AuditEvent.action == action))
    assert len(events) == 1, [event.action for event in AuditEvent.select()]
    assert (events[0].actor, events[0].details["token"], events[0].address) == ("dana@example.org", "Test", "127.0.0.1")
    found: AuditEvent = events[0]
    return found


def test_a_chatbot_is_made_with_its_first_version(caller: Program, user: User) -> None:
    sent = {"title": "New", "system_prompt": "Be brief.", "config": {"temperature": 0.5}, "ingestion_run_ids": [1]}
    made = caller.post("/chatbots", sent).get_json()
    assert made | sent == made
    assert (made["version"], made["model_provider"], made["pinecone_namespace"]) == (1, "offline", None)
    assert caller.get(f"/chatbots/{made['id']}").get_json() == made
    assert recorded("chatbot.create").subject == "New"
    assert Chatbot.get_by_id(made["id"]).creator == Chatbot.get_by_id(1).creator


def test_a_change_publishes_the_next_version_and_keeps_the_rest(caller: Program) -> None:
    response = caller.patch("/chatbots/1", {"system_prompt": "Be kind.", "notes": "Kinder.", "expected_version": 1})
    assert response.get_json() == {"success": True, "version": 2}
    shown = caller.get("/chatbots/1/versions/2").get_json()
    assert (shown["system_prompt"], shown["notes"], shown["is_current"]) == ("Be kind.", "Kinder.", True)
    assert shown["created_by"] == "dana@example.org"
    assert caller.get("/chatbots/1").get_json()["title"] == "Harbour desk"
    event = recorded("chatbot.publish")
    assert (event.subject, event.details["changed"]) == ("Harbour desk, version 2", ["system_prompt"])


def test_who_starts_from_an_old_version_is_told_the_present_one(caller: Program) -> None:
    caller.patch("/chatbots/1", {"title": "Newer"})
    before = stored()
    response = caller.patch("/chatbots/1", {"title": "Mine", "expected_version": 1})
    assert (response.status_code, error_of(response)) == (409, "version_conflict")
    assert response.get_json()["error"]["details"] == {"current_version": 2}
    assert stored() == before
    assert Chatbot.get_by_id(1).title == "Newer"


def test_of_those_who_publish_at_once_one_succeeds(caller: Program, user: User) -> None:
    statuses: list[int] = []
    others = [program(caller.client.application, user) for _ in range(3)]

    def publish() -> None:
        statuses.append(others.pop().patch("/chatbots/1", {"title": "T", "expected_version": 1}).status_code)

    at_once(3, publish)
    assert sorted(statuses) == [200, 409, 409]


@ONE_ENGINE
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, "at least one setting"),
        ({"notes": "Nothing else"}, "at least one setting"),
        ({"config": {"temprature": 1}}, "did you mean temperature?"),
        ({"model_provider": "openai"}, "needs the name of a model"),
        ({"model_provider": "opnai"}, "has to be one of offline, openai"),
        ({"config": {"x_a": "\0"}}, "can't be used"),
        ({"config": {"x_a": 1e999}}, "can't be used"),
        ({"title": ""}, "can't be used"),
        ({"title": None}, "can't be used"),
        ({"system_prompt": 5}, "can't be used"),
        ({"model_name": "x" * 121}, "can't be used"),
        ({"config": []}, "can't be used"),
    ],
)
def test_a_setting_that_can_not_be_used_is_named(caller: Program, changes: Any, named: str) -> None:
    before = stored()
    data = caller.client.application.json.dumps(changes).replace("Infinity", "1e999")
    response = caller.ask("PATCH", "/chatbots/1", data=data, content_type="application/json")
    assert (response.status_code, error_of(response)) == (422, "invalid")
    assert named in response.get_json()["error"]["message"]
    assert stored() == before


def test_versions_are_compared_line_by_line_and_one_goes_back(caller: Program) -> None:
    caller.patch("/chatbots/1", {"system_prompt": "Be brief.\nBe kind."})
    found = caller.get("/chatbots/1/versions/2/differences").get_json()
    assert (found["old"], found["new"]) == (1, 2)
    (difference,) = found["differences"]
    assert [(line["kind"], line["text"]) for line in difference["lines"]] == [
        ("same", "Be brief."),
        ("added", "Be kind."),
    ]
    back = caller.post("/chatbots/1/versions/1/make-current", {"expected_version": 2}).get_json()
    assert back == {"success": True, "version": 3}
    assert versions.current(Chatbot.get_by_id(1)).system_prompt == "Be brief."
    listed = caller.get("/chatbots/1/versions").get_json()["items"]
    assert [(entry["number"], entry["is_current"]) for entry in listed] == [(3, True), (2, False), (1, False)]
    late = caller.post("/chatbots/1/versions/2/make-current", {"expected_version": 2})
    assert error_of(late) == "version_conflict"
    assert ChatbotVersion.select().count() == 3


def test_a_persona_is_made_changed_and_only_deleted_before_it_spoke(caller: Program, user: User) -> None:
    made = caller.post("/personas", {"name": "Mate", "color": "#0b6e75"}).get_json()
    assert (made["name"], made["is_active"], made["instructions"]) == ("Mate", True, "")
    assert error_of(caller.post("/personas", {"name": "mate"})) == "name_taken"
    assert error_of(caller.patch(f"/personas/{made['id']}", {"name": "PIRATE"})) == "name_taken"
    changed = caller.patch(f"/personas/{made['id']}", {"is_active": False, "name": "mate"}).get_json()
    assert changed == made | {"is_active": False, "name": "mate"}
    assert recorded("persona.edit").details["changed"] == ["is_active", "name"]
    assert caller.delete(f"/personas/{made['id']}").status_code == 204
    Message.update(persona=1).execute()
    assert error_of(caller.delete("/personas/1")) == "in_use"
    assert [persona.name for persona in Persona.select()] == ["Pirate"]


def test_a_deleted_conversation_is_gone_and_its_record_does_not_quote_it(caller: Program, world: Values) -> None:
    path = f"/conversations/{world['conversation_id']}"
    assert caller.delete(path).get_json() == {"messages": 2, "tool_calls": 1}
    assert error_of(caller.get(path)) == error_of(caller.delete(path)) == "not_found"
    event = recorded("conversation.delete")
    assert event.details == {"token": "Test", "messages": 2, "tool_calls": 1}
    assert "ferry" not in event.subject


def test_a_conversation_at_work_stays(caller: Program, world: Values) -> None:
    InboxItem.update(state=QUEUED).where(InboxItem.id == world["item_id"]).execute()
    response = caller.delete(f"/conversations/{world['conversation_id']}")
    assert (response.status_code, error_of(response)) == (409, "still_at_work")
    assert Conversation.select().count() == 1


def test_a_dead_letter_is_retried_or_dropped_once(caller: Program, world: Values) -> None:
    path = f"/dead-letters/inbox/{world['letter_id']}"
    (letter,) = caller.get("/dead-letters/inbox").get_json()["items"]
    assert (letter["id"], letter["text"], letter["reason"]) == (world["letter_id"], "Lost", "Its reason")
    assert caller.post(f"{path}/retry").status_code == 204
    assert InboxItem.get_by_id(world["letter_id"]).state == QUEUED
    assert error_of(caller.post(f"{path}/retry")) == "not_found"
    recorded("deadletter.retry")
    InboxItem.update(state=DEAD).where(InboxItem.id == world["letter_id"]).execute()
    assert caller.delete(path).status_code == 204
    assert InboxItem.get_by_id(world["letter_id"]).state == DONE
    recorded("deadletter.drop")


def test_monitoring_reads_what_waits_and_what_was_given_up(caller: Program, world: Values) -> None:
    send(Chatbot.get_by_id(world["chatbot_id"]), "Hello")
    figures = caller.get("/metrics").text.splitlines()
    assert 'slipway_queue_depth{queue="inbox"} 1.0' in figures
    assert 'slipway_dead_letters{queue="inbox"} 1.0' in figures
    assert "slipway_database_up 1.0" in figures


def test_lists_come_in_pages_that_miss_and_repeat_nothing(caller: Program) -> None:
    for number in range(6):
        caller.post("/personas", {"name": f"Persona {number}"})
    names, path = [], "/personas?limit=3"
    while path:
        page = caller.get(path).get_json()
        names += [persona["name"] for persona in page["items"]]
        path = f"/personas?limit=3&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert names == [*(f"Persona {number}" for number in (5, 4, 3, 2, 1, 0)), "Pirate"]


def test_conversations_are_narrowed_and_searched(caller: Program, world: Values) -> None:
    for query, expected in (
        ("channel=api", 1),
        ("channel=telegram", 0),
        (f"thread=of {world['chatbot_id']}", 1),
        ("since=2020-01-01T00:00:00Z", 1),
        ("until=2020-01-01T00:00:00%2B02:00", 0),
    ):
        assert len(caller.get(f"/conversations?{query}").get_json()["items"]) == expected, query
    (hit,) = caller.get("/search?q=FERRY lea&limit=1").get_json()["items"]
    assert "".join(piece["text"] for piece in hit["excerpt"]) in hit["message"]["content"]
    assert {piece["text"].lower() for piece in hit["excerpt"] if piece["is_hit"]} >= {"ferry"}
    assert caller.get("/search?q=nothing like it").get_json()["items"] == []
