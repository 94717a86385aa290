"""A database that answers and takes no changes: people are told so, and the log says why."""

from __future__ import annotations

from contextlib import nullcontext

import peewee as pw
import pytest
from flask import Flask

from service.database import bind, proxy, writing
from service.faults import headline, takes_no_changes
from service.models import User
from service.url import DatabaseUrl
from tests.support.api import error_of, program
from tests.support.chat import make_chatbot
from tests.support.panel import ONE_ENGINE, Browser, add_user

READ_ONLY = {
    "sqlite": "OperationalError: attempt to write a readonly database",
    "postgresql": "InternalError: cannot execute INSERT in a read-only transaction",
}


def close_for_changes(url: DatabaseUrl) -> None:
    """From the next connection on, as after a failover to a server that only reads."""
    if url.is_sqlite:
        proxy.obj.pragma("query_only", 1, permanent=True)
    else:
        bind(url._replace(options=(*url.options, ("options", "-c default_transaction_read_only=on"))))


def test_a_read_only_database_is_told_as_such_and_keeps_what_was_typed(
    browser: Browser, service_database: DatabaseUrl, caplog: pytest.LogCaptureFixture
) -> None:
    make_chatbot()
    typed = browser.fields("/talk/") | {"content": "Is the harbour open?"}
    close_for_changes(service_database)
    assert browser.get("/conversations/").status_code == 200, "who reads is served"
    answer = browser.client.post("/talk/", data=typed, headers={"Origin": "http://localhost"})
    assert answer.status_code == 503
    assert "The database takes no changes at the moment." in answer.text
    assert "Is the harbour open?" in answer.text
    assert f"POST /talk/: the database failed with {READ_ONLY[service_database.engine]}" in caplog.text
    assert "harbour" not in caplog.text


def test_a_program_is_told_that_nothing_was_changed(app: Flask, service_database: DatabaseUrl) -> None:
    caller = program(app)
    close_for_changes(service_database)
    answer = caller.post("/chat", {"chatbot_id": 1, "message": "Hello"})
    assert (answer.status_code, error_of(answer)) == (503, "unavailable")
    assert "takes no changes at the moment; nothing was changed" in answer.text


@pytest.mark.parametrize("nested", [False, True], ids=["a transaction", "a transaction in another"])
@ONE_ENGINE
def test_a_full_disk_is_told_though_sqlite_has_rolled_back_by_itself(
    service_database: DatabaseUrl, nested: bool
) -> None:
    proxy.obj.pragma("max_page_count", proxy.obj.pragma("page_count"))
    with (
        pytest.raises(pw.OperationalError) as caught,
        writing(proxy.obj),
        writing(proxy.obj) if nested else nullcontext(),
    ):
        add_user(name="x" * 1_000_000)
    assert headline(caught.value) == "OperationalError: database or disk is full"
    assert takes_no_changes(caught.value)
    assert not User.select().exists()


@pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)
def test_the_log_names_the_table_that_is_missing(
    browser: Browser, service_database: DatabaseUrl, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.obj.execute_sql("ALTER TABLE personas RENAME TO people_one_is")
    assert browser.get("/personas/").status_code == 500
    assert 'the database failed with ProgrammingError: relation "personas" does not exist' in caplog.text
