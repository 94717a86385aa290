"""Exports over the HTTP API that don't come to their end."""

from __future__ import annotations

import pytest

from service.api.pieces import BrokenOff
from service.chat import export
from service.database import proxy
from service.url import DatabaseUrl
from tests.support.api import program
from tests.support.chat import begin, make_chatbot, say
from tests.support.panel import add_user, panel


def test_a_database_that_fails_breaks_the_file_off_and_no_word_of_it_is_logged(
    service_database: DatabaseUrl, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(export, "PIECE", 1)
    user = add_user()
    say(begin(make_chatbot(user=user), "one", channel="telegram"), "user", "Is the berth free?")
    texts = iter(program(panel(service_database), user).get("/export?channel=telegram").iter_encoded())
    next(texts)
    proxy.obj.execute_sql("ALTER TABLE messages RENAME TO elsewhere")
    with pytest.raises(BrokenOff, match="is not whole") as told:
        list(texts)
    assert told.value.__suppress_context__, "a traceback would show the driver's own words after all"
    assert "An export broke off: the database failed with " in caplog.text
    assert not any(word in caplog.text for word in ("telegram", "SELECT", "berth"))
