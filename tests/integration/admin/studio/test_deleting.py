"""Deleting a row: what would go along is said before, and what others hold stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from service.admin.studio import cascade, catalog
from service.database import proxy
from service.models import AuditEvent, Conversation, Message, OutboxItem, Persona, ToolLog, User
from service.url import ROOT, DatabaseUrl
from tests.support.chat import make_chatbot
from tests.support.migrations import rows as ask
from tests.support.panel import ONE_ENGINE, Browser, add_user, panel


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return panel(service_database, ROOT / "migrations")


@pytest.fixture
def connected(service_database: DatabaseUrl) -> Iterator[None]:
    with proxy.obj.connection_context():
        yield


def cost(table: str, *key: object) -> cascade.Cost:
    found = catalog.read(proxy.obj)
    return cascade.cost(proxy.obj, found, found.tables[table], key)


def test_a_delete_says_what_goes_along_and_takes_exactly_that(browser: Browser) -> None:
    chatbot, persona = make_chatbot(), Persona.create(user=User.get(), name="Bosun")
    talk, other = (Conversation.create(chatbot=chatbot, title=title) for title in ("one", "two"))
    messages = [Message.create(chatbot=chatbot, conversation=talk, role="user", content="Ahoy") for _ in range(3)]
    away = Message.create(chatbot=chatbot, conversation=other, role="user", content="Hm", reply_to=messages[0])
    ToolLog.create(session=other, message=messages[1], server="s", tool="t", persona=persona)
    OutboxItem.create(conversation=talk, message=messages[2], channel="telegram", address={})
    path = f"/studio/delete/conversations/{talk.id}"
    page = browser.read(path)
    for part in ("<strong>3 rows</strong> deleted", "<strong>1 row</strong> deleted", "<strong>1 row</strong> kept"):
        assert part in page
    assert "messages.reply_to_id" in page
    response = browser.submit(path)
    assert response.location == "/studio/rows/conversations"
    assert [message.id for message in Message.select()] == [away.id]
    assert Message.get().reply_to is None
    assert (Conversation.select().count(), OutboxItem.select().count(), ToolLog.select().count()) == (1, 0, 1)
    event = AuditEvent.select().where(AuditEvent.action == "data.delete").get()
    assert (event.subject, event.details) == (
        f"conversations {talk.id}",
        {"went_along": {"messages": 3, "outbox": 1}},
    )


def test_what_other_rows_hold_is_not_deleted_and_they_are_named(browser: Browser) -> None:
    chatbot = make_chatbot()
    message = Message.create(chatbot=chatbot, role="user", content="Ahoy")
    path = f"/studio/delete/chatbots/{chatbot.id}"
    page = browser.read(path)
    assert "Other rows hold this one" in page
    assert f'href="/studio/row/messages/{message.id}"' in page
    assert "Delete for good" not in page
    creator = browser.read(f"/studio/delete/creators/{chatbot.creator_id}")
    assert f'href="/studio/row/chatbots/{chatbot.id}"' in creator


def test_whoever_came_between_question_and_answer_is_noticed(browser: Browser) -> None:
    chatbot = make_chatbot()
    creator = chatbot.creator
    chatbot.delete_instance()
    path = f"/studio/delete/creators/{creator.id}"
    asked = browser.fields(path)
    make_chatbot().update(creator=creator).execute()
    response = browser.send(path, asked)
    assert response.status_code == 409
    assert "Nothing was deleted." in response.text
    persona = Persona.create(user=User.get(), name="Bosun")
    path = f"/studio/delete/personas/{persona.id}"
    asked = browser.fields(path)
    Persona.update(name="Dockmaster").execute()
    assert browser.send(path, asked).status_code == 409
    assert browser.send(path, asked | {"seen": ""}).status_code == 409
    assert Persona.select().count() == 1


@ONE_ENGINE
def test_an_owner_is_not_deleted_past_the_page_that_counts_them(browser: Browser) -> None:
    me, eve = User.get(), add_user("eve@example.org", role="viewer")
    assert "An owner can&#39;t be deleted." in browser.read(f"/studio/delete/users/{me.id}")
    assert browser.send(f"/studio/delete/users/{me.id}", _token(browser)).status_code == 409
    assert browser.submit(f"/studio/delete/users/{eve.id}").status_code == 303
    assert [user.email for user in User.select()] == ["dana@example.org"]


def _token(browser: Browser) -> dict[str, str]:
    return {"csrf_token": browser.fields("/studio/new/creators")["csrf_token"]}


CIRCLE = """
CREATE TABLE ships (id INTEGER PRIMARY KEY, flagship INTEGER REFERENCES ships (id) ON DELETE CASCADE, port INTEGER);
CREATE TABLE ports (id INTEGER PRIMARY KEY, ship INTEGER REFERENCES ships (id) ON DELETE CASCADE);
INSERT INTO ships VALUES (1, NULL, NULL), (2, 1, NULL), (3, 2, NULL), (4, NULL, NULL);
INSERT INTO ports VALUES (1, 3), (2, 4);
UPDATE ships SET flagship = 3 WHERE id = 1;
"""


def run(url: DatabaseUrl, script: str) -> None:
    for statement in filter(None, map(str.strip, script.split(";"))):
        ask(url, statement)


def test_a_circle_of_links_comes_to_an_end(connected: None, service_database: DatabaseUrl) -> None:
    run(service_database, CIRCLE)
    found = cost("ships", 1)
    assert (found.deleted, found.is_cut) == ({"ships": 2, "ports": 1}, False)
    assert cost("ships", 4).deleted == {"ports": 1}
    proxy.obj.execute_sql("DELETE FROM ships WHERE id = 1")
    left = [
        table + str(row[0]) for table in ("ships", "ports") for row in ask(service_database, f"SELECT id FROM {table}")
    ]
    assert left == ["ships4", "ports2"], "as it was foretold"


def test_what_goes_along_anyway_holds_nothing_unless_it_restricts(
    connected: None, service_database: DatabaseUrl
) -> None:
    run(
        service_database,
        """
        CREATE TABLE fleets (id INTEGER PRIMARY KEY);
        CREATE TABLE boats (id INTEGER PRIMARY KEY, fleet INTEGER REFERENCES fleets (id) ON DELETE CASCADE);
        CREATE TABLE oars (id INTEGER PRIMARY KEY, boat INTEGER REFERENCES boats (id),
            fleet INTEGER REFERENCES fleets (id) ON DELETE CASCADE);
        INSERT INTO fleets VALUES (1), (2); INSERT INTO boats VALUES (1, 1), (2, 2);
        INSERT INTO oars VALUES (1, 1, 1), (2, 2, NULL)
        """,
    )
    assert cost("fleets", 1).held == {}
    assert cost("fleets", 1).deleted == {"boats": 1, "oars": 1}
    assert list(cost("fleets", 2).held.values()) == [[(2,)]]


def test_too_many_rows_are_told_as_at_least(
    connected: None, service_database: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cascade, "FOLLOWED", 10)
    talk = Conversation.create(chatbot=make_chatbot(), title="long")
    for _ in range(15):
        Message.create(chatbot=talk.chatbot, conversation=talk, role="user", content="Ahoy")
    assert cost("conversations", talk.id).is_cut
