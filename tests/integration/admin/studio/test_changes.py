"""Adding and editing rows in the data browser: checked, written down, and never over somebody else's change."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask

from service.admin.studio import rows
from service.chat import search
from service.models import AuditEvent, Conversation, Message, Persona, User
from service.url import ROOT, DatabaseUrl
from tests.support.chat import make_chatbot
from tests.support.migrations import rows as ask
from tests.support.panel import ONE_ENGINE, Browser, at_once, panel, signed_in


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return panel(service_database, ROOT / "migrations")


@pytest.fixture
def persona(browser: Browser) -> Persona:
    return Persona.create(user=User.get(), name="Harbour master", description="Calm.\nBrief.")


def value(**typed: str) -> dict[str, str]:
    """The names that the form gives its columns."""
    return {f"value:{column}": text for column, text in typed.items()}


def reload(persona: Persona) -> Persona:
    return Persona.get_by_id(persona.id)


def events(action: str) -> list[tuple[str, str, Any]]:
    found = AuditEvent.select().where(AuditEvent.action == action).order_by(AuditEvent.id)
    return [(event.actor, event.subject, event.details) for event in found]


def test_a_row_is_edited_and_the_change_written_down_without_its_values(browser: Browser, persona: Persona) -> None:
    response = browser.submit(
        f"/studio/edit/personas/{persona.id}",
        **value(name="Dockmaster", is_active="false", description="Calm.\r\nBrief."),
    )
    assert response.location == f"/studio/row/personas/{persona.id}"
    stored = reload(persona)
    assert (stored.name, stored.is_active, stored.description) == ("Dockmaster", False, "Calm.\nBrief.")
    assert stored.created_at == persona.created_at, "what was not typed into stays"
    subject, details = f"personas {persona.id}", {"columns": ["is_active", "name"]}
    assert events("data.update") == [("dana@example.org", subject, details)]
    assert "Changed: name, is_active." in browser.read(response.location)


def test_a_form_sent_as_it_came_changes_nothing(browser: Browser, persona: Persona) -> None:
    make_chatbot(config={"a": {"b": [1, "é"]}})
    Persona.update(instructions="\r\n two \r\n").where(Persona.id == persona.id).execute()
    for path in (f"personas/{persona.id}", "chatbots/1", "users/1", "creators/1"):
        response = browser.submit(f"/studio/edit/{path}")
        assert response.status_code == 303, path
        assert "Nothing was different" in browser.read(response.location)
    assert events("data.update") == []
    assert reload(persona).instructions == "\r\n two \r\n"


def test_somebody_elses_change_is_not_overwritten(app: Flask, browser: Browser, persona: Persona) -> None:
    path = f"/studio/edit/personas/{persona.id}"
    seen = browser.fields(path) | value(name="Dockmaster")
    assert signed_in(app, "eve@example.org").submit(path, **value(description="Loud.")).status_code == 303
    conflict = browser.send(path, seen)
    assert conflict.status_code == 409
    assert "Somebody changed this row while you were typing." in conflict.text
    assert "Now: “Loud.”" in conflict.text
    assert 'value="Dockmaster"' in conflict.text, "what was typed stays"
    assert reload(persona).name == "Harbour master", "nothing is written"
    again = re.search(r'name="seen" value="(\w+)"', conflict.text)
    assert again
    assert browser.send(path, seen | value(description="Loud.") | {"seen": again[1]}).status_code == 303
    assert (reload(persona).name, reload(persona).description) == ("Dockmaster", "Loud.")
    persona.delete_instance()
    assert browser.send(path, seen).status_code == 404


def test_of_two_changes_at_once_one_is_written(app: Flask, browser: Browser, persona: Persona) -> None:
    path = f"/studio/edit/personas/{persona.id}"
    people = [signed_in(app, f"{name}@example.org") for name in ("ann", "bo", "cy", "dee")]
    forms = [(person, person.fields(path) | value(name=f"Chosen {n}")) for n, person in enumerate(people)]
    answers: list[int] = []
    at_once(len(forms), lambda: answers.append(_send(forms.pop(), path)))
    assert sorted(answers) == [303, 409, 409, 409]
    assert len(events("data.update")) == 1


def _send(form: tuple[Browser, dict[str, str]], path: str) -> int:
    person, fields = form
    return person.send(path, fields).status_code


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"name": "x" * 121}, "At most 120 characters; these are 121."),
        ({"created_at": "yesterday"}, "Type it like this: 2026-11-21 17:30:00."),
        ({"created_at": ""}, "This needs a value."),
        ({"user_id": "twelve"}, "Type a whole number, such as 12."),
        ({"color": "a\0b"}, "This holds a character that can&#39;t be stored"),
    ],
)
def test_what_can_not_be_stored_is_kept_and_explained(
    browser: Browser, persona: Persona, typed: dict[str, str], complaint: str
) -> None:
    response = browser.submit(f"/studio/edit/personas/{persona.id}", **value(description="kept") | value(**typed))
    assert response.status_code == 400
    assert complaint in response.text
    assert ">\nkept</textarea>" in response.text
    assert reload(persona).description == "Calm.\nBrief."


def test_what_the_database_refuses_is_told_in_its_words(browser: Browser, persona: Persona) -> None:
    path = f"/studio/edit/personas/{persona.id}"
    message = Message.create(chatbot=make_chatbot(), role="user", content="Ahoy")
    response = browser.submit(f"/studio/edit/messages/{message.id}", **value(role="pirate"))
    assert response.status_code == 400
    assert "The database refused this:" in response.text
    assert "messages_role_known" in response.text
    assert events("data.update") == []
    assert browser.get(path).status_code == 200, "the connection still works"


@pytest.mark.parametrize("place", ["edit/personas/{}", "new/personas"])
def test_what_points_at_no_row_is_marked_where_it_was_typed(browser: Browser, persona: Persona, place: str) -> None:
    typed = value(user_id="99", name="Pilot", is_active="true", created_at="2026-11-21 17:30:00", description="kept")
    response = browser.submit(f"/studio/{place.format(persona.id)}", **typed)
    assert response.status_code == 400
    assert re.search(r'name="value:user_id" value="99"[^>]*aria-invalid="true"', response.text)
    assert "There is no such row in users." in response.text
    assert "look at the fields marked below" in response.text
    assert "refused" not in response.text
    assert ">\nkept</textarea>" in response.text


def test_nobody_says_yes_or_no_in_a_new_row_but_who_makes_it(browser: Browser, service_database: DatabaseUrl) -> None:
    ask(service_database, "CREATE TABLE buoys (id INTEGER PRIMARY KEY, lit BOOLEAN NOT NULL, bell BOOLEAN)")
    page = browser.read("/studio/new/buoys")
    assert re.findall(r'<option value="">(.+?)</option>', page) == ["choose", "NULL"]
    response = browser.submit("/studio/new/buoys", **value(id="1"))
    assert response.status_code == 400
    assert "This needs a value." in response.text
    assert browser.submit("/studio/new/buoys", **value(id="1", lit="false")).status_code == 303
    assert ask(service_database, "SELECT lit, bell FROM buoys") == [(False, None)]


def test_json_is_read_before_it_is_stored(browser: Browser) -> None:
    talk = Conversation.create(chatbot=make_chatbot(), title="Ahoy", metadata={"b": 1})
    path = f"/studio/edit/conversations/{talk.id}"
    assert json.loads(browser.fields(path)["value:metadata"]) == {"b": 1}
    assert "Not JSON:" in browser.submit(path, **value(metadata="{'b': 2}")).text
    assert browser.submit(path, **value(metadata='{"b": ["é", null]}')).status_code == 303
    assert Conversation.get().metadata == {"b": ["é", None]}


def test_null_and_an_empty_text_are_two_things(browser: Browser) -> None:
    chatbot = make_chatbot()
    message = Message.create(chatbot=chatbot, role="user", content="Ahoy", error=None)
    path = f"/studio/edit/messages/{message.id}"
    fields = browser.fields(path)
    assert fields["null:error"] == "1"
    without_box = {name: text for name, text in fields.items() if name != "null:error"}
    assert browser.send(path, without_box).status_code == 303
    assert Message.get().error == ""
    fields = browser.fields(path)
    assert browser.send(path, fields | {"null:error": "1"} | value(duration_ms="12")).status_code == 303
    assert (Message.get().error, Message.get().duration_ms) == (None, 12)
    assert browser.send(path, browser.fields(path) | value(duration_ms="", error="late")).status_code == 303
    assert (Message.get().error, Message.get().duration_ms) == ("late", None), "what is typed wins over the box"


def test_a_row_is_added_with_what_the_database_fills_in(browser: Browser) -> None:
    response = browser.submit("/studio/new/personas", **value(user_id="1", name="Bosun", instructions="Short."))
    persona = Persona.get()
    assert response.location == f"/studio/row/personas/{persona.id}"
    assert (persona.name, persona.instructions, persona.color) == ("Bosun", "Short.", "#6c757d")
    assert persona.is_active is True
    assert persona.created_at is not None, "a moment that is needed starts as the present one"
    ((_actor, subject, details),) = events("data.insert")
    assert subject == f"personas {persona.id}"
    assert "name" in details["columns"]
    assert browser.submit("/studio/new/personas", **value(name="Bosun")).status_code == 400, "it needs a user"


@ONE_ENGINE
def test_a_key_can_be_chosen_and_is_not_taken_twice(browser: Browser) -> None:
    typed = value(id="77", name="Harbour")
    assert browser.submit("/studio/new/creators", **typed).location == "/studio/row/creators/77"
    assert browser.submit("/studio/new/creators", **typed).status_code == 400


def test_search_finds_what_a_message_says_after_the_edit(browser: Browser) -> None:
    message = Message.create(chatbot=make_chatbot(), role="user", content="Ahoy")
    browser.submit(f"/studio/edit/messages/{message.id}", **value(content="Lighthouse"))
    assert [found.id for found in Message.select().where(search.matching("lighthouse"))] == [message.id]


def test_a_huge_value_is_shown_in_part_and_left_whole(browser: Browser, persona: Persona) -> None:
    huge = "x" * (rows.LONGEST + 1)
    Persona.update(instructions=huge).where(Persona.id == persona.id).execute()
    assert len(browser.read("/studio/rows/personas")) < 50_000
    path = f"/studio/edit/personas/{persona.id}"
    assert "this is its beginning" in browser.read(path)
    assert browser.submit(path, **value(name="Bosun", instructions="short")).status_code == 303
    assert (reload(persona).name, reload(persona).instructions) == ("Bosun", huge)


def test_a_record_that_can_not_be_kept_undoes_the_change(
    browser: Browser, persona: Persona, service_database: DatabaseUrl
) -> None:
    ask(service_database, "ALTER TABLE audit_log RENAME TO audit_elsewhere")
    response = browser.submit(f"/studio/edit/personas/{persona.id}", **value(name="Bosun"))
    assert response.status_code >= 400
    assert reload(persona).name == "Harbour master"
