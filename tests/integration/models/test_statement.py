from __future__ import annotations

from datetime import timedelta

import pytest

from service.database import connection, is_sqlite, proxy
from service.models import InboxItem, Message
from service.models.base import utc_now
from service.models.statement import Statement, loaded
from tests.support.chat import make_chatbot, send

pytestmark = pytest.mark.usefixtures("service_database")


def test_names_stand_for_values_however_often_they_occur() -> None:
    assert Statement("SELECT :word, :number + 1, :word").row(word="it's", number=4) == ("it's", 5, "it's")


def test_what_only_looks_like_a_placeholder_stays_as_it_is() -> None:
    statement = Statement("SELECT '100 %', CAST(:n AS int) % 3", postgresql="SELECT '100 %', :n::int % 3")
    assert statement.row(n=5) == ("100 %", 2)


def test_no_row_is_none_and_several_are_a_list() -> None:
    nothing = Statement("SELECT id FROM inbox")
    assert (nothing.row(), nothing.rows(), nothing.named()) == (None, [], None)
    assert Statement("SELECT 1 UNION ALL SELECT 2 ORDER BY 1").rows() == [(1,), (2,)]


def test_it_tells_how_many_rows_were_changed() -> None:
    chatbot = make_chatbot()
    for number in range(3):
        send(chatbot, f"{number}")
    again = Statement("UPDATE inbox SET attempts = attempts + 1 WHERE content <> :content")
    assert again.changed(content="1") == 2
    assert again.changed(content="1") == 2


def test_moments_are_of_the_clock_that_all_share() -> None:
    item = send(make_chatbot(), "Hello")
    Statement("UPDATE inbox SET leased_until = :later, finished_at = :now WHERE id = :id").changed(
        id=item.id, seconds=60
    )
    stored = InboxItem.get_by_id(item.id)
    assert stored.leased_until
    assert stored.finished_at
    assert abs(stored.leased_until - stored.finished_at - timedelta(seconds=60)) < timedelta(seconds=1)
    assert abs(utc_now() - stored.finished_at) < timedelta(seconds=5)


def test_a_change_is_over_when_its_rows_have_been_told() -> None:
    """An unfinished statement would keep the writer's lock of SQLite."""
    item = send(make_chatbot(), "Hello")
    with connection() as database:
        told = Statement("UPDATE inbox SET attempts = 7 WHERE id = :id RETURNING id, attempts").named(id=item.id)
        assert told == {"id": item.id, "attempts": 7}
        assert not (is_sqlite(database) and proxy.obj.connection().in_transaction)


def test_a_row_is_loaded_as_peewee_would_load_it() -> None:
    item = send(make_chatbot(), "Hello", metadata_is=["kept", {"as": "JSON"}])
    row = Statement("SELECT *, 3 AS guests FROM inbox WHERE id = :id").named(id=item.id)
    assert row
    read, stored = loaded(InboxItem, row), InboxItem.get_by_id(item.id)
    assert read == stored
    assert read.__data__ == stored.__data__
    assert not read.dirty_fields
    assert (read.metadata["metadata_is"], read.chatbot.title) == (["kept", {"as": "JSON"}], "Helper")
    assert read.guests == 3  # type: ignore[attr-defined]  # no column


def test_of_a_row_that_is_not_read_as_a_whole_the_rest_is_not_made_up() -> None:
    assert loaded(Message, {"id": 5, "role": "user"}).__data__ == {"id": 5, "role": "user"}
