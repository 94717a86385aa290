"""Drafts that change what a table goes by: its key, its settings, its name. What was in it stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peewee as pw
import pytest

from service.migrate.drafting.renames import Wishes
from service.migrate.errors import Refused
from service.url import DatabaseUrl
from tests.support.drafts import Studio
from tests.support.migrations import rows, write

NO_RENAME = Wishes(none=True)


@pytest.fixture
def studio(database_url: DatabaseUrl, tmp_path: Path) -> Studio:
    return Studio(database_url, tmp_path)


def name() -> pw.Field:
    return pw.CharField(max_length=40)


def table(called: str = "bots", *, meta: dict[str, Any] | None = None, **fields: Any) -> type[pw.Model]:
    return type("Bot", (pw.Model,), fields | {"Meta": type("Meta", (), {"table_name": called, **(meta or {})})})


def pairs(**fields: Any) -> type[pw.Model]:
    return table(meta={"primary_key": pw.CompositeKey("id", "name")}, id=pw.IntegerField(), name=name(), **fields)


def inserted(studio: Studio) -> None:
    rows(studio.url, "INSERT INTO bots (name) VALUES ('ann'), ('bob')")


def fill(studio: Studio, line: str) -> None:
    """What the author of a draft is asked to do before the next line."""
    path = max(studio.folder.iterdir())
    mark = "    # Rows that are there already need a value first"
    path.write_text(path.read_text().replace(mark, f"    {line}\n{mark}", 1))


def test_a_key_of_one_column_becomes_one_of_two_and_back(studio: Studio) -> None:
    studio.perfect(table(name=name()))
    studio.deploy()
    inserted(studio)
    assert 'migrator.change_primary_key("bots", "id", "name")' in studio.perfect(pairs())
    studio.deploy()
    rows(studio.url, "INSERT INTO bots (id, name) VALUES (1, 'zoe')")
    with pytest.raises(Exception, match=r"(?i)unique"):
        rows(studio.url, "INSERT INTO bots (id, name) VALUES (1, 'zoe')")
    rows(studio.url, "DELETE FROM bots WHERE name = 'zoe'")
    studio.roll_back()
    rows(studio.url, "INSERT INTO bots (name) VALUES ('cid')")
    assert rows(studio.url, "SELECT id, name FROM bots ORDER BY id") == [(1, "ann"), (2, "bob"), (3, "cid")]


def test_a_key_gives_way_to_a_column_that_is_filled_first(studio: Studio) -> None:
    studio.perfect(table(name=name()))
    studio.deploy()
    inserted(studio)
    code = pw.CharField(max_length=9, primary_key=True)
    studio.perfect(table(code=code, name=name()), wishes=NO_RENAME)
    fill(studio, "migrator.sql(\"UPDATE bots SET code = name || '!'\")")
    studio.deploy()
    assert rows(studio.url, "SELECT code, name FROM bots ORDER BY code") == [("ann!", "ann"), ("bob!", "bob")]
    studio.roll_back()
    assert sorted(rows(studio.url, "SELECT id FROM bots")) == [(1,), (2,)], "the rows are numbered"


def test_rows_are_numbered_where_a_key_of_numbers_comes(studio: Studio) -> None:
    studio.perfect(pairs())
    studio.deploy()
    rows(studio.url, "INSERT INTO bots (id, name) VALUES (7, 'ann'), (7, 'bob')")
    text = studio.perfect(table(number=pw.BigAutoField(), id=pw.IntegerField(), name=name()), wishes=NO_RENAME)
    assert 'migrator.change_primary_key("bots", number=pw.BigAutoField())' in text
    studio.deploy()
    rows(studio.url, "INSERT INTO bots (id, name) VALUES (7, 'cid')")
    assert rows(studio.url, "SELECT number, id FROM bots ORDER BY number") == [(1, 7), (2, 7), (3, 7)]
    studio.roll_back()
    assert len(rows(studio.url, "SELECT id, name FROM bots")) == 3


def test_a_table_without_a_key_is_given_one(studio: Studio) -> None:
    studio.perfect(table(meta={"primary_key": False}, name=name()))
    studio.perfect(table(meta={"primary_key": pw.CompositeKey("name")}, name=name()))
    studio.perfect(table(meta={"primary_key": False}, name=name()))
    studio.deploy()


def test_a_key_of_numbers_becomes_text_and_numbers_again(studio: Studio) -> None:
    studio.perfect(table(name=name()))
    studio.deploy()
    inserted(studio)
    studio.perfect(table(id=pw.CharField(max_length=36, primary_key=True), name=name()))
    studio.deploy()
    rows(studio.url, "INSERT INTO bots (id, name) VALUES ('40', 'cid')")
    studio.roll_back()
    rows(studio.url, "INSERT INTO bots (name) VALUES ('dan')")
    assert rows(studio.url, "SELECT id, name FROM bots ORDER BY id")[2:] == [(40, "cid"), (41, "dan")]


def test_a_foreign_key_goes_on_referring_to_what_was_the_key(studio: Studio) -> None:
    def models(**fields: Any) -> list[type[pw.Model]]:
        bot = table(**fields, name=name())
        return [table("notes", bot=pw.ForeignKeyField(bot, field="id", backref="+")), bot]

    studio.perfect(*models(id=pw.AutoField()))
    studio.perfect(*models(id=pw.IntegerField(unique=True), code=pw.IntegerField(primary_key=True)))


def test_a_table_of_sqlite_becomes_strict_and_goes_without_rowid(sqlite_url: DatabaseUrl, tmp_path: Path) -> None:
    studio = Studio(sqlite_url, tmp_path)

    def model(**settings: bool) -> type[pw.Model]:
        return table(meta=settings, code=pw.TextField(primary_key=True), n=pw.IntegerField(null=True))

    studio.perfect(model())
    studio.deploy()
    rows(sqlite_url, "INSERT INTO bots (code, n) VALUES ('a', 1)")
    assert 'migrator.change_settings("bots", strict_tables=True)' in studio.perfect(model(strict_tables=True))
    studio.perfect(model(strict_tables=True, without_rowid=True))
    studio.deploy()
    with pytest.raises(Exception, match="cannot store TEXT"):
        rows(sqlite_url, "INSERT INTO bots (code, n) VALUES ('b', 'x')")
    with pytest.raises(Exception, match="no such column: rowid"):
        rows(sqlite_url, "SELECT rowid FROM bots")
    assert rows(sqlite_url, "SELECT * FROM bots") == [("a", 1)]
    studio.roll_back()
    assert rows(sqlite_url, "SELECT rowid, code FROM bots") == [(1, "a")]


def test_a_setting_without_an_operation_is_told_with_what_to_write(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    studio = Studio(postgresql_url, tmp_path)
    wanted = table(meta={"table_settings": ["WITH (fillfactor=70)"]}, name=name())
    studio.perfect(table(name=name()))
    with pytest.raises(Refused) as refusal:
        studio.draft(wanted)
    noted = "migrator.change_settings(\"bots\", table_settings=['WITH (fillfactor=70)'])"
    assert "its table_settings should be ['WITH (fillfactor=70)']." in str(refusal.value)
    assert f"Write migrator.sql('ALTER TABLE \"bots\" SET …') and, for the next draft, {noted}." in str(refusal.value)
    write(studio.folder, "002_by_hand", f"migrator.sql('ALTER TABLE \"bots\" SET (fillfactor = 70)')\n{noted}")
    studio.deploy()
    assert studio.draft(wanted) is None
    assert rows(postgresql_url, "SELECT reloptions FROM pg_class WHERE relname = 'bots'") == [(["fillfactor=70"],)]


def renamed_and_changed(called: str = "robots") -> type[pw.Model]:
    return table(called, name=name(), mood=name(), b=pw.IntegerField(null=True))


@pytest.mark.parametrize("answer", [True, False])
def test_a_table_with_another_name_and_other_columns_is_asked_about(studio: Studio, answer: bool) -> None:
    asked = []

    def ask(old: str, new: str) -> bool:
        asked.append((old, new))
        return answer

    studio.perfect(table(name=name(), mood=name(), a=name()))
    studio.deploy()
    rows(studio.url, "INSERT INTO bots (name, mood, a) VALUES ('ann', 'calm', 'x')")
    text = studio.perfect(renamed_and_changed(), wishes=Wishes(ask=ask))
    studio.deploy()
    assert asked == [("bots", "robots")]
    assert ("rename_table" in text) == answer
    assert rows(studio.url, "SELECT name, mood, b FROM robots") == ([("ann", "calm", None)] if answer else [])


def test_and_nothing_is_written_where_nobody_can_be_asked(studio: Studio) -> None:
    studio.perfect(table(name=name(), mood=name(), a=name()))
    with pytest.raises(Refused, match="bots is gone and robots is new: if that is a rename, say --rename bots=robots"):
        studio.draft(renamed_and_changed())
    assert len(list(studio.folder.iterdir())) == 1


def test_tables_that_have_little_in_common_are_no_question_and_can_still_be_named(studio: Studio) -> None:
    studio.perfect(table(name=name(), a=name(), b=name()))
    other = table("quays", name=name(), depth=pw.IntegerField(null=True), berths=pw.IntegerField(null=True))
    text = studio.perfect(other, wishes=Wishes(given=("bots=quays",), none=True))
    assert 'migrator.rename_table("bots", "quays")' in text
    text = studio.perfect(table("cranes", reach=pw.IntegerField(null=True)))
    assert "rename_table" not in text


def test_the_most_alike_of_two_new_tables_is_asked_about_first(studio: Studio) -> None:
    asked = []
    studio.perfect(table(name=name(), mood=name(), a=name()))
    near = table("near", name=name(), mood=name(), a=name())
    far = table("far", name=name(), mood=name())
    studio.draft(far, near, wishes=Wishes(ask=lambda old, new: not asked.append((old, new))))  # type: ignore[func-returns-value]
    assert asked == [("bots", "near")]
