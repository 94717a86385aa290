"""Which index a statement of SQL drops."""

from __future__ import annotations

import pytest

from service.migrate.altering.indexes import dropped_by


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("DROP INDEX inbox_waiting", "inbox_waiting"),
        ('drop index concurrently if exists "Inbox"', "Inbox"),
        ("\n  DROP INDEX\n  inbox_waiting;\n", "inbox_waiting"),
        ("DROP TABLE inbox", ""),
        ("CREATE INDEX a ON b (c)", ""),
        ("UPDATE notes SET text = 'DROP INDEX a'", ""),
    ],
)
def test_only_what_drops_an_index_names_one(statement: str, name: str) -> None:
    assert dropped_by(statement) == name
