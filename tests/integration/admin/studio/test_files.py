"""Rows as files: every row of a filter, in pieces, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pytest

from service.models import AuditEvent, Persona, User
from service.url import ROOT, DatabaseUrl
from tests.support.chat import make_chatbot
from tests.support.migrations import rows as ask
from tests.support.panel import Browser, panel, signed_in


@pytest.fixture
def browser(service_database: DatabaseUrl) -> Browser:
    return signed_in(panel(service_database, ROOT / "migrations"))


def test_a_table_comes_as_a_file_that_no_spreadsheet_runs(browser: Browser) -> None:
    user = User.get()
    for name in ("=HYPERLINK(1)", "-1", "plain, with a comma"):
        Persona.create(user=user, name=name, instructions="two\nlines")
    response = browser.get("/studio/csv/personas?column=name&op=not&value=-1")
    assert response.headers["Content-Disposition"] == "attachment; filename=personas.csv"
    read = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["name"] for row in read] == ["'=HYPERLINK(1)", "plain, with a comma"]
    assert read[0]["instructions"] == "two\nlines"
    event = AuditEvent.select().where(AuditEvent.action == "data.export").get()
    assert (event.subject, event.details) == ("personas", {"filtered_by": ["name"]})


def test_a_large_file_is_read_in_batches(browser: Browser, service_database: DatabaseUrl) -> None:
    chatbot = make_chatbot()
    numbers = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1234)"
    ask(
        service_database,
        f"{numbers} INSERT INTO messages (chatbot_id, role, content, metadata, created_at)"
        f" SELECT {chatbot.id}, 'user', 'Ahoy', '{{}}', '2026-01-01 00:00:00' FROM n",
    )
    assert len(list(csv.reader(io.StringIO(browser.read("/studio/csv/messages"))))) == 1235
