"""`create --auto`: a draft that can be applied as it is, and undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peewee as pw
import pytest

from service.migrate.drafting.renames import Wishes
from service.migrate.errors import Refused
from service.url import DatabaseUrl
from tests.support.drafts import Studio, ruff_complains
from tests.support.migrations import rows, write


@pytest.fixture
def studio(database_url: DatabaseUrl, tmp_path: Path) -> Studio:
    return Studio(database_url, tmp_path)


def bot(**body: Any) -> type[pw.Model]:
    """A model of the table bots; `meta` and `indexes` are no fields."""
    meta, indexes = body.pop("meta", {}), body.pop("indexes", ())
    model: Any = type("Bot", (pw.Model,), body | {"Meta": type("Meta", (), {"table_name": "bots", **meta})})
    for make in indexes:
        model.add_index(make(model))
    return model  # type: ignore[no-any-return]


def name() -> pw.Field:
    return pw.CharField(max_length=40)


def test_json_is_jsonb_and_a_new_column_of_it_fills_in_its_default(studio: Studio) -> None:
    studio.perfect(bot(name=name(), notes=pw.JSONField(default=dict)))
    studio.deploy()
    rows(studio.url, "INSERT INTO bots (name, notes) VALUES ('a', '{}')")
    text = studio.perfect(bot(name=name(), notes=pw.JSONField(default=dict), tags=pw.JSONField(default=list)))
    assert "tags=pw.JSONField(default=list, constraints=[pw.SQL(\"DEFAULT '[]'\")])" in text
    studio.deploy()
    assert rows(studio.url, "SELECT tags FROM bots") == [("[]" if studio.url.is_sqlite else [],)]
    kind = "SELECT data_type FROM information_schema.columns WHERE column_name = 'tags'"
    assert studio.url.is_sqlite or rows(studio.url, kind) == [("jsonb",)]


def partial(model: Any) -> pw.Index:
    return model.index(model.name, unique=True, name="bots_named", where=(model.mood == "it's") & (model.is_on == True))  # type: ignore[no-any-return]  # noqa: E712


def over_expression(model: Any) -> pw.Index:
    return model.index(pw.fn.LOWER(model.name), model.mood.desc(), name="bots_lower")  # type: ignore[no-any-return]


def indexed(*indexes: Any) -> type[pw.Model]:
    return bot(name=name(), mood=name(), is_on=pw.BooleanField(default=True), indexes=indexes)


@pytest.mark.parametrize("index", [partial, over_expression])
def test_partial_and_expression_indexes_come_and_go(studio: Studio, index: Any) -> None:
    studio.perfect(indexed())
    studio.perfect(indexed(index))
    studio.deploy()
    studio.perfect(indexed())
    studio.deploy()
    studio.perfect(indexed(over_expression, partial))
    studio.deploy()


def test_checks_and_server_defaults_of_columns_come_change_and_go(studio: Studio) -> None:
    def model(*constraints: str, kind: type[pw.Field] = pw.IntegerField) -> type[pw.Model]:
        return bot(name=name(), n=kind(constraints=[pw.SQL(text) for text in constraints] or None))

    studio.perfect(model())
    studio.perfect(model("DEFAULT 5", "CHECK (n < 100)"))
    studio.deploy()
    studio.perfect(model("DEFAULT 7", "CHECK (n < 50)", kind=pw.BigIntegerField))
    studio.deploy()
    studio.perfect(model(kind=pw.BigIntegerField))
    studio.deploy()


def test_constraints_of_tables_come_and_go_named_or_not(studio: Studio) -> None:
    def model(*constraints: Any) -> type[pw.Model]:
        return bot(name=name(), a=pw.IntegerField(), b=pw.IntegerField(), meta={"constraints": list(constraints)})

    named = pw.Check("a < b", name="ordered")
    studio.perfect(model(pw.Check("a <> b")))
    studio.perfect(model(named, pw.Check("name NOT LIKE '100%'")))
    studio.deploy()
    studio.perfect(model(named))
    studio.deploy()


def test_decimals_keep_their_digits(studio: Studio) -> None:
    studio.perfect(bot(price=pw.DecimalField(max_digits=12, decimal_places=2)))
    text = studio.perfect(bot(price=pw.DecimalField(max_digits=14, decimal_places=3)))
    assert "price=pw.DecimalField(max_digits=14, decimal_places=3)," in text
    studio.deploy()


def test_foreign_keys_that_go_round_in_a_circle_are_closed_afterwards(studio: Studio) -> None:
    class Version(pw.Model):
        bot = pw.DeferredForeignKey("Bot", backref="+", on_delete="CASCADE")

        class Meta:
            table_name = "versions"

    bots = bot(
        current=pw.ForeignKeyField(Version, null=True, backref="+"), parent=pw.ForeignKeyField("self", null=True)
    )
    text = studio.perfect(bots, Version)
    assert text.index('table_name = "versions"') < text.index('migrator.add_fields(\n        "bots"')
    studio.deploy()
    studio.roll_back()


def test_unique_and_index_are_toggled(studio: Studio) -> None:
    choices: list[dict[str, Any]] = [
        {},
        {"unique": True},
        {"index": True},
        {"null": True, "unique": True},
        {"null": True},
    ]
    for options in choices:
        studio.perfect(bot(name=pw.CharField(max_length=40, **options)))
    studio.deploy()


def test_actions_of_foreign_keys_are_seen(studio: Studio) -> None:
    class Team(pw.Model):
        class Meta:
            table_name = "teams"

    choices: list[dict[str, Any]] = [{}, {"on_delete": "CASCADE"}, {"on_delete": "SET NULL", "on_update": "CASCADE"}]
    for options in choices:
        studio.perfect(Team, bot(team=pw.ForeignKeyField(Team, null=True, backref="+", **options)))
    studio.deploy()


def test_a_default_that_the_database_keeps_follows_the_models(studio: Studio) -> None:
    studio.perfect(bot(name=name()))
    studio.perfect(bot(name=name(), mood=pw.CharField(default="calm")))
    text = studio.perfect(bot(name=name(), mood=pw.CharField(default="glad")))
    assert "DEFAULT 'glad'" in text
    studio.deploy()
    rows(studio.url, "INSERT INTO bots (name) VALUES ('a')")
    assert rows(studio.url, "SELECT mood FROM bots") == [("glad",)]


def test_keys_settings_and_the_order_of_fields_are_the_models_own(studio: Studio) -> None:
    class Pair(pw.Model):
        zebra = pw.IntegerField(column_name="z")
        apple = pw.CharField(max_length=9)

        class Meta:
            table_name = "pairs"
            primary_key = pw.CompositeKey("apple", "zebra")
            without_rowid = False

    class Named(pw.Model):
        code = pw.CharField(max_length=5, primary_key=True)

        class Meta:
            table_name = "named"

    text = studio.perfect(Pair, Named, bot(id=pw.BigAutoField(), code=pw.ForeignKeyField(Named)))
    assert text.index("zebra") < text.index("apple")
    assert 'primary_key = pw.CompositeKey("apple", "zebra")' in text


def test_a_key_grows(studio: Studio) -> None:
    studio.perfect(bot(name=name()))
    studio.perfect(bot(id=pw.BigAutoField(), name=name()))
    studio.deploy()


def test_what_can_not_be_drafted_is_told_instead_of_left_out(studio: Studio) -> None:
    studio.perfect(bot(name=name()))
    written = studio.draft(bot(name=name(), mood=pw.CharField(null=True), meta={"table_settings": []}))
    assert written
    assert written.notes == ()
    written = studio.draft(bot(name=name(), meta={"schema": "elsewhere"}), wishes=Wishes(none=True))
    assert written
    assert "not drafted: bots: its schema should be 'elsewhere'." in "\n".join(written.notes)


def test_what_sql_has_made_is_neither_drafted_again_nor_dropped(studio: Studio) -> None:
    studio.perfect(bot(name=name()))
    write(
        studio.folder, "002_sql", 'migrator.sql("ALTER TABLE bots ADD mood VARCHAR(9); CREATE INDEX x ON bots (mood)")'
    )
    assert studio.differences(bot(name=name())) == []
    assert studio.draft(bot(name=name(), mood=pw.CharField(max_length=9, null=True))) is None


@pytest.mark.parametrize("answer", [True, False])
def test_a_rename_is_asked_about(studio: Studio, answer: bool) -> None:
    asked = []

    def ask(old: str, new: str) -> bool:
        asked.append((old, new))
        return answer

    studio.perfect(bot(mood=pw.CharField(max_length=9, index=True)))
    studio.deploy()
    rows(studio.url, "INSERT INTO bots (mood) VALUES ('calm')")
    text = studio.perfect(bot(feeling=pw.CharField(max_length=9, index=True, null=True)), wishes=Wishes(ask=ask))
    assert asked == [("bots.mood", "bots.feeling")]
    studio.deploy()
    assert rows(studio.url, "SELECT feeling FROM bots") == [("calm",) if answer else (None,)]
    assert ("rename_field" in text) == answer
    if answer:
        studio.roll_back()
        assert rows(studio.url, "SELECT mood FROM bots") == [("calm",)]


def test_where_nobody_can_be_asked_both_options_are_named_and_nothing_is_written(studio: Studio) -> None:
    studio.perfect(bot(mood=name()))
    with pytest.raises(Refused) as refusal:
        studio.draft(bot(feeling=name()))
    assert str(refusal.value) == (
        "bots.mood is gone and bots.feeling is new: if that is a rename, say --rename bots.mood=bots.feeling; "
        "if one is to be dropped with its data and the other added, say --no-rename."
    )
    assert len(list(studio.folder.iterdir())) == 1
    with pytest.raises(Refused, match=r"--rename bots\.mod=bots\.feeling names no column"):
        studio.draft(bot(feeling=name()), wishes=Wishes(given=("bots.mod=bots.feeling",), none=True))


def test_a_table_is_renamed_with_what_refers_to_it(studio: Studio) -> None:
    def models(table: str, key: str) -> list[type[pw.Model]]:
        owner = type("Owner", (pw.Model,), {"email": name(), "Meta": type("Meta", (), {"table_name": table})})
        return [owner, bot(name=name(), **{key: pw.ForeignKeyField(owner, backref="+")})]

    studio.perfect(*models("owners", "owner"))
    wishes = Wishes(given=("owners=people", "bots.owner_id=bots.person_id"))
    text = studio.perfect(*models("people", "person"), wishes=wishes)
    assert 'migrator.rename_table("owners", "people")' in text
    assert 'migrator.rename_field("bots", "owner", "person")' in text
    studio.deploy()
    studio.roll_back()


def test_a_draft_that_fails_says_so_in_the_file(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    studio = Studio(postgresql_url, tmp_path)
    studio.perfect(bot(n=pw.DateTimeField()))
    written = studio.draft(bot(n=pw.BooleanField()))
    assert written
    assert written.notes[0].startswith("it fails: cannot cast type timestamp")
    assert "# About this draft: it fails: cannot cast type timestamp" in written.path.read_text()


def test_without_the_database_the_draft_is_written_and_says_that_it_was_not_tried(tmp_path: Path) -> None:
    studio = Studio(DatabaseUrl("postgresql", "none", host="127.0.0.1", port=1, user="nobody"), tmp_path)
    written = studio.draft(bot(name=name()))
    assert written
    assert len(written.notes) == 1
    assert written.notes[0].startswith("not tried: Can't reach PostgreSQL database")
    assert "# About this draft: not tried: Can't reach" in written.path.read_text()


def test_drafts_are_laid_out_as_ruff_does_it(sqlite_url: DatabaseUrl, tmp_path: Path) -> None:
    studio = Studio(sqlite_url, tmp_path)
    long = 'it\'s "so" ' * 30
    texts = bot(
        name=pw.CharField(max_length=400, default=long, constraints=[pw.SQL("DEFAULT 'x'"), pw.Check("name <> '\\'")]),
        mood=pw.TextField(default='a "quoted" word'),
        meta={"constraints": [pw.Check(f"mood <> '{'word ' * 40}'")], "indexes": ((("name", "mood"), True),)},
    )
    studio.perfect(texts)
    studio.perfect(indexed(partial, over_expression), wishes=Wishes(none=True))
    studio.draft(bot(at=pw.DateTimeField()), wishes=Wishes(none=True))
    assert ruff_complains(studio.folder) == ""
