"""Drafts of fields that are not Peewee's own: PostgreSQL's, and those of a project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peewee as pw
import pytest
from playhouse import postgres_ext

from service.url import DatabaseUrl
from tests.support.drafts import Studio
from tests.support.migrations import rows


@pytest.fixture
def studio(database_url: DatabaseUrl, tmp_path: Path) -> Studio:
    return Studio(database_url, tmp_path)


ext: Any = postgres_ext  # its fields are not annotated


def bot(**fields: Any) -> type[pw.Model]:
    return type("Bot", (pw.Model,), fields | {"Meta": type("Meta", (), {"table_name": "bots"})})


class ColorField(pw.CharField):
    """What a project may add to a field of Peewee's."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"max_length": 7, **options})

    def db_value(self, value: Any) -> Any:
        return value and value.lower()


class PointField(pw.Field):
    field_type = "POINT"


def test_a_field_of_a_project_is_drafted_as_what_it_is_in_the_database(studio: Studio) -> None:
    text = studio.perfect(bot(color=ColorField(), shade=ColorField(null=True)))
    assert "ColorField" not in text
    assert "color = pw.CharField(max_length=7)" in text
    studio.deploy()
    studio.perfect(bot(color=ColorField(), shade=ColorField(default="#000000")))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("field", "kind"),
    [
        (lambda: ext.ArrayField(pw.TextField, null=True), "text[]"),
        (lambda: ext.ArrayField(pw.IntegerField, null=True, index=False), "integer[]"),
        (lambda: ext.BinaryJSONField(null=True), "jsonb"),
        (lambda: PointField(null=True), "point"),
    ],
)
def test_a_type_of_postgresql_is_drafted(studio: Studio, field: Any, kind: str) -> None:
    studio.perfect(bot(thing=field()))
    studio.deploy()
    found = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'bots'::regclass"
    assert rows(studio.url, f"{found} AND attname = 'thing'") == [(kind,)]
    studio.perfect(bot())
    studio.deploy()
    studio.perfect(bot(thing=field()))
