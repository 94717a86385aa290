"""The data browser, looking only: tables, rows in every order, links in both directions, and files."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from service.admin.studio import counts, patience, rows
from service.admin.studio.patience import TooSlow, limited
from service.database import proxy
from service.models import EDITOR, Chatbot, Message, Persona, User
from service.models.base import utc_now
from service.url import ROOT, DatabaseUrl
from tests.support.chat import make_chatbot, make_user
from tests.support.migrations import rows as ask
from tests.support.panel import ONE_ENGINE, Browser, add_user, panel, signed_in


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return panel(service_database, ROOT / "migrations")


def first_cells(page: str) -> list[str]:
    """What stands in the first column of each row."""
    return re.findall(r'<th scope="row"[^>]*><a [^>]*>([^<]*)</a>', page)


def next_page(page: str) -> str:
    match = re.search(r'rel="next" href="([^"]+)"', page)
    return match[1].replace("&amp;", "&") if match else ""


def walk(browser: Browser, path: str) -> list[str]:
    """The first cells of all pages, from the first to the last."""
    found: list[str] = []
    while path:
        page = browser.read(path)
        found += first_cells(page)
        path = next_page(page)
    return found


def test_every_table_is_listed_with_its_rows_and_what_it_is_linked_with(browser: Browser) -> None:
    make_chatbot()
    page = browser.read("/studio/")
    for name in ("messages", "chatbot_versions", "audit_log", "migratehistory", "message_search"):
        assert f"/studio/rows/{name}" in page
    assert "message_search_data" not in page, "where a virtual table keeps its content is its own affair"
    chatbots = page[page.index("/studio/rows/chatbots") :]
    assert re.search(r'data-label="Rows" class="number">1<', chatbots)
    assert page.count(">read-only</span>") >= 4


def test_a_table_shows_its_types_keys_and_indexes(browser: Browser) -> None:
    page = browser.read("/studio/table/messages")
    assert "on delete cascade" in page
    assert "messages_failed" in page, "an index by its name"
    assert "tool_logs.message_id → messages.id" in page
    assert ">key</span>" in page
    users = browser.read("/studio/table/users")
    assert users.count("never shown") == 2


def test_rows_are_sorted_and_paged_without_losing_one(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows.Source.page, "__defaults__", (7, rows.CUT))
    user = User.get()
    moods = ["", None, "b", "a", "b"]
    chatbot = make_chatbot()
    for number in range(33):
        Message.create(chatbot=chatbot, user=user, role="user", content=f"{number % 4}", error=moods[number % 5])
    everything = [str(message.id) for message in Message.select().order_by(Message.id)]
    assert walk(browser, "/studio/rows/messages") == everything
    assert walk(browser, "/studio/rows/messages?dir=desc") == everything[::-1]
    for column in ("content", "error", "created_at", "role"):
        for direction in ("", "desc"):
            path = f"/studio/rows/messages?sort={column}&dir={direction}"
            found = walk(browser, path)
            assert sorted(found, key=int) == everything, path
    errors = {str(message.id): message.error for message in Message.select()}
    for direction in ("", "desc"):
        order = [errors[id] for id in walk(browser, f"/studio/rows/messages?sort=error&dir={direction}")]
        filled = [error for error in order if error is not None]
        assert filled == sorted(filled, reverse=bool(direction))
        assert order[len(filled) :] == [None] * (len(order) - len(filled)), "NULL stands last"


@pytest.mark.parametrize(
    ("column", "op", "value", "found"),
    [
        ("name", "is", "Ann", {"Ann"}),
        ("name", "not", "Ann", {"ann%", "Bo"}),
        ("name", "contains", "n%", {"ann%"}),
        ("name", "starts", "B", {"Bo"}),
        ("id", "above", "1", {"ann%", "Bo"}),
        ("id", "below", "2", {"Ann"}),
        ("is_active", "is", "false", {"Bo"}),
        ("is_active", "not", "false", {"Ann", "ann%"}),
        ("created_at", "above", "2020-01-01 00:00:00", {"Ann", "ann%"}),
        ("created_at", "below", "2020-01-01", {"Bo"}),
    ],
)
def test_rows_are_filtered_by_a_column(browser: Browser, column: str, op: str, value: str, found: set[str]) -> None:
    user = User.get()
    for name in ("Ann", "ann%"):
        Persona.create(user=user, name=name)
    Persona.create(user=user, name="Bo", is_active=False, created_at=utc_now() - timedelta(days=9000))
    response = browser.get("/studio/rows/personas", query_string={"column": column, "op": op, "value": value})
    assert response.status_code == 200
    names = re.findall(r'data-label="name">([^<]*)<', response.text)
    assert set(names) == found


@ONE_ENGINE
def test_filters_add_up_and_each_can_be_taken_away(browser: Browser) -> None:
    chatbot = make_chatbot()
    for role in ("user", "assistant"):
        Message.create(chatbot=chatbot, role=role, content="Ahoy", error=None if role == "user" else "late")
    both = "column=role&op=is&value=assistant&column=error&op=filled&value="
    page = browser.read(f"/studio/rows/messages?{both}")
    assert first_cells(page) == ["2"]
    assert page.count('class="chip"') == 2
    page = browser.read("/studio/rows/messages?column=error&op=empty&value=&column=role&op=is&value=assistant")
    assert "No row like this" in page


@ONE_ENGINE
@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("column=id&op=is&value=twelve", "Type a whole number, such as 12."),
        (f"column=id&op=above&value={2**70}", "Type a number between"),
        ("column=id&op=contains&value=1", "id, which is INTEGER, can&#39;t be filtered like this."),
        ("column=id&op=drop&value=1", "can&#39;t be filtered like this."),
        ("column=nothing&op=is&value=1", "There is no column nothing to filter by."),
        ("column=password_hash&op=starts&value=scrypt", "There is no column password_hash to filter by."),
        ("column=totp_secret&op=filled&value=", "There is no column totp_secret to filter by."),
        ("column=name&op=is&value=a%00b", "This holds a character that can&#39;t be stored"),
    ],
)
def test_a_filter_that_can_not_be_used_says_why_and_keeps_what_was_typed(
    browser: Browser, query: str, complaint: str
) -> None:
    response = browser.get(f"/studio/rows/users?{query}")
    assert response.status_code == 400
    assert complaint in response.text
    assert browser.get(f"/studio/csv/users?{query}").status_code == 400


def test_secrets_are_nowhere(browser: Browser) -> None:
    secrets = {"totp_secret": "JBSWY3DPEHPK3PXP", "password_hash": "scrypt:the-hash"}
    User.update(**secrets).where(User.email == "nobody").execute()
    user = add_user("eve@example.org", **secrets)
    for path in (
        "rows/users",
        f"row/users/{user.id}",
        f"edit/users/{user.id}",
        "csv/users",
        "rows/users?sort=totp_secret",
    ):
        text = browser.read(f"/studio/{path}")
        assert not [secret for secret in secrets.values() if secret in text], path
    assert "never shown" in browser.read(f"/studio/row/users/{user.id}")


def test_a_foreign_key_is_followed_in_both_directions(browser: Browser) -> None:
    chatbot = make_chatbot()
    Message.create(chatbot=chatbot, role="user", content="Ahoy")
    assert f'href="/studio/row/chatbots/{chatbot.id}"' in browser.read("/studio/rows/messages")
    row = browser.read(f"/studio/row/chatbots/{chatbot.id}")
    assert f'href="/studio/row/creators/{chatbot.creator_id}"' in row
    back = f"/studio/rows/messages?column=chatbot_id&amp;op=is&amp;value={chatbot.id}"
    assert back in row
    assert first_cells(browser.read(back.replace("&amp;", "&"))) == ["1"]


def test_beyond_some_rows_a_table_is_estimated(
    browser: Browser, service_database: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    chatbot = make_chatbot()
    Message.insert_many([{"chatbot": chatbot, "role": "user", "content": "Ahoy"} for _ in range(30)]).execute()
    monkeypatch.setattr(counts, "COUNTED", 20)
    monkeypatch.setattr(counts.of_query, "__defaults__", (20,))
    assert "more than 20" in browser.read("/studio/")
    if not service_database.is_sqlite:
        ask(service_database, "ANALYZE messages")
        assert "about 30" in browser.read("/studio/")


def test_a_question_that_takes_too_long_is_stopped(browser: Browser, service_database: DatabaseUrl) -> None:
    endless = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n"
    with proxy.obj.connection_context():
        with pytest.raises(TooSlow, match="so it was stopped"), limited(proxy.obj, 0.2):
            proxy.obj.execute_sql(endless)
        assert proxy.obj.execute_sql("SELECT 1").fetchone() == (1,), "the connection still works"


@ONE_ENGINE
def test_what_took_too_long_says_what_to_do(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> None:
        raise TooSlow(patience.SECONDS)

    monkeypatch.setattr(rows.Source, "page", slow)
    response = browser.get("/studio/rows/messages")
    assert response.status_code == 503
    assert "Filter or sort by an indexed column." in response.text


@ONE_ENGINE
def test_only_owners_come_in_and_only_they_are_shown_the_way(app: Flask) -> None:
    add_user("eve@example.org", role=EDITOR)
    eve = signed_in(app, "eve@example.org")
    assert "/studio/" not in eve.read("/chatbots/")
    assert eve.get("/studio/rows/personas").status_code == 403
    assert "/studio/" in signed_in(app).read("/chatbots/")


def test_what_is_not_there_is_a_404(browser: Browser) -> None:
    make_user()
    for path in ("rows/nothing", "row/users/99", "row/users/x", f"row/users/{2**70}", "row/users/1,2", "table/%00"):
        assert browser.get(f"/studio/{path}").status_code == 404, path
    assert Chatbot.select().count() == 0
