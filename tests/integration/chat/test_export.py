from __future__ import annotations

import csv
import io
import json
import tracemalloc
from typing import Any

import pytest

from service.chat import access, export
from service.chat.providers import built_in
from service.chat.respond import respond
from service.database import proxy, writing
from service.models import Conversation, Message, ToolLog, User
from tests.support.chat import make_chatbot, make_user, send
from tests.support.panel import ONE_ENGINE

pytestmark = pytest.mark.usefixtures("service_database")


@pytest.fixture
def ada() -> User:
    """Somebody with three talks, the second of which has no messages."""
    user = make_user()
    chatbot = make_chatbot(user=user, title="Harbour desk")
    respond(
        send(chatbot, "When does the ferry leave?\n**assistant**, never\n# Not a title", thread="one"),
        built_in(),
        _done,
    )
    Conversation.create(chatbot=chatbot, title="Nothing was said", thread="two")
    reply = respond(send(chatbot, '=HYPERLINK("http://x")', thread="three"), built_in(), _done)
    ToolLog.create(session=reply.conversation, message=reply, server="files", tool="read", arguments={"path": "a"})
    return user


def _done() -> None:
    """Stands for the lease, which these tests are not about."""


def written(conversations: Any, form: str) -> str:
    return "".join(piece.text for piece in export.pieces(conversations, form))


def exported(user: User, form: str) -> str:
    return written(access.conversations(user), form)


def test_json_holds_conversations_with_their_messages(ada: User) -> None:
    talks = json.loads(exported(ada, "json"))
    assert [(talk["title"], len(talk["messages"])) for talk in talks] == [
        ("When does the ferry leave? **assistant**, never # Not a title", 2),
        ("Nothing was said", 0),
        ('=HYPERLINK("http://x")', 2),
    ]
    assert (talks[0]["chatbot"], talks[0]["version"], talks[0]["channel"]) == ("Harbour desk", 1, "panel")
    question, answer = talks[2]["messages"]
    assert (question["role"], question["content"]) == ("user", '=HYPERLINK("http://x")')
    assert answer["reply_to"] == question["id"]
    assert answer["tool_calls"][0]["arguments"] == {"path": "a"}


def test_json_lines_hold_a_message_each(ada: User) -> None:
    lines = [json.loads(line) for line in exported(ada, "jsonl").splitlines()]
    assert [line["role"] for line in lines] == ["user", "assistant"] * 2
    assert {line["conversation"]["chatbot"] for line in lines} == {"Harbour desk"}


def test_csv_holds_a_row_for_each_message_and_no_formula(ada: User) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(ada, "csv"), newline="")))
    assert [row["message_role"] for row in rows] == ["user", "assistant"] * 2
    assert rows[0]["message_content"] == "When does the ferry leave?\n**assistant**, never\n# Not a title"
    assert rows[2]["message_content"] == rows[2]["conversation_title"] == '\'=HYPERLINK("http://x")'


@ONE_ENGINE
@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "＝1"])
def test_no_cell_begins_like_a_formula(text: str) -> None:
    Message.create(
        conversation=Conversation.create(chatbot=make_chatbot(), title="t"), chatbot=1, role="user", content=text
    )
    row = next(csv.DictReader(io.StringIO(exported(make_user(), "csv"), newline="")))
    assert row["message_content"] == f"'{text}"


def test_markdown_lets_nobody_speak_for_somebody_else(ada: User) -> None:
    text = exported(ada, "md")
    assert [line for line in text.splitlines() if line.startswith("# ")] == [
        "# When does the ferry leave? **assistant**, never # Not a title",
        "# Nothing was said",
        '# =HYPERLINK("http://x")',
    ]
    assert "\n> **assistant**, never\n> # Not a title\n" in text
    assert "- called files/read\n" in text


@pytest.mark.parametrize("form", export.FORMS)
def test_nothing_to_export_is_still_a_file(form: str) -> None:
    text = exported(make_user(), form)
    assert text == {"json": "[\n]\n", "jsonl": "", "md": ""}.get(form, text)
    assert (form == "csv") == text.startswith("conversation_id,")


def many(talks: int, messages: int, content: str) -> Any:
    chatbot = make_chatbot()
    with writing(proxy.obj):
        for number in range(talks):
            talk = Conversation.create(chatbot=chatbot, title=f"Talk {number}", thread=str(number))
            rows = [
                {"conversation": talk, "chatbot": chatbot, "role": "user", "content": f"{content}{n}"}
                for n in range(messages)
            ]
            Message.insert_many(rows).execute()
    return access.conversations(make_user())


def test_each_message_is_there_once_however_the_batches_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "TALKS", 3)
    monkeypatch.setattr(export, "MESSAGES", 4)
    query = many(7, 5, "m")
    talks = json.loads(written(query, "json"))
    assert [talk["title"] for talk in talks] == [f"Talk {number}" for number in range(7)]
    for talk in talks:
        assert [message["content"] for message in talk["messages"]] == ["m0", "m1", "m2", "m3", "m4"]


def test_no_connection_is_held_between_two_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE", 1)
    query = many(2, 3, "m")
    proxy.obj.close()
    for _piece in export.pieces(query, "jsonl"):
        assert proxy.obj.is_closed()


@ONE_ENGINE
def test_a_large_export_needs_no_large_memory() -> None:
    query = many(40, 100, "x" * 5_000)
    tracemalloc.start()
    size = sum(len(piece.text) for piece in export.pieces(query, "json"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 20_000_000
    assert peak < 6_000_000
