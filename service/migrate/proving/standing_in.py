"""Which scratch schema stands for which live one, and what a statement says of them when it is moved there."""

from __future__ import annotations

import os
import re

from service.migrate import heal
from service.migrate.applying import settings
from service.migrate.proving import spares

_NAME = r'"(?:[^"]|"")+"|\w+'
_MADE = re.compile(rf"\bCREATE\s+SCHEMA\s+(?:IF\s+NOT\s+EXISTS\s+)?(?!AUTHORIZATION\b)({_NAME})", re.IGNORECASE)
# Where a schema stands without a dot behind it.
_BEFORE = r"(\bSCHEMA\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?|\bsearch_path\s*(?:=|\bTO\b)\s*)"
_EXTENSION = re.compile(rf"\s*CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?({_NAME})(.*)", re.IGNORECASE | re.DOTALL)
_IN_SCHEMA = re.compile(rf"\bSCHEMA\s+({_NAME})", re.IGNORECASE)
# A database has each extension once: for as long as the shadow's transaction lasts, the one that is there comes along.
# One that can't be moved, is in use or somebody else's, stays, and is found where it is named with its schema.
_BRING = """
DO $bring$ BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = '{plain}') THEN
        BEGIN ALTER EXTENSION {name} SET SCHEMA {schema};
        EXCEPTION WHEN feature_not_supported OR insufficient_privilege OR lock_not_available THEN NULL; END;
    ELSE {sql}; END IF;
END $bring$
"""
# Of the server, the database or the files: nothing of it is compared, and much of it refused in a transaction.
_OF_SERVER = r"(?:ROLE|USER|GROUP)\b(?!\s+MAPPING)|SERVER|LANGUAGE|CAST|FOREIGN\s+DATA\s+WRAPPER|USER\s+MAPPING"
_OF_NO_SCHEMA = re.compile(
    rf"\s*(VACUUM|ALTER\s+SYSTEM|(DROP|REASSIGN)\s+OWNED|(ALTER|DROP)\s+({_OF_SERVER})"
    r"|(CREATE|ALTER|DROP)\s+(DATABASE|TABLESPACE|EVENT\s+TRIGGER|PUBLICATION|SUBSCRIPTION))\b",
    re.IGNORECASE,
)
# What comes after may need it, and it may be there.
_MADE_ONCE = re.compile(rf"\s*CREATE\s+({_OF_SERVER})\b", re.IGNORECASE)
_UNLESS_THERE = """
DO $unless$ BEGIN {sql}; EXCEPTION WHEN duplicate_object OR insufficient_privilege THEN NULL; END $unless$
"""
_RENAMED = re.compile(rf"\s*ALTER\s+SCHEMA\s+({_NAME})\s+RENAME\s+TO\s+({_NAME})\s*", re.IGNORECASE)
_CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)


class StandIns:
    """Scratch schema -> the live one, both as they are written in SQL: the current one first, if there are any, and
    then each that a statement makes."""

    def __init__(self, live: str = "") -> None:
        self.called = {f"slipway_shadow_{os.getpid()}": live} if live else {}

    @property
    def first(self) -> str:
        return next(iter(self.called), "")

    @property
    def live(self) -> str:
        """What the first one stands for."""
        return next(iter(self.called.values()), "")

    @property
    def others(self) -> list[str]:
        return list(self.called)[1:]

    def reword(self, sql: str) -> str:
        """Of a statement that says where it works, as those of a dump do. In the one transaction of the shadow an index
        can't be built concurrently, and need not be; nor can a table be vacuumed, or a role be altered."""
        if _OF_NO_SCHEMA.match(sql) or self._renames(sql):
            return "SELECT 1"
        if _MADE_ONCE.match(sql):
            return _UNLESS_THERE.format(sql=sql)
        if heal.stands_alone(sql):
            sql = _CONCURRENTLY.sub("", sql, count=1)
        if self.called:
            for name in map(_as_written, _MADE.findall(sql)):
                if name not in self.called.values():
                    self.called[f"slipway_shadow{len(self.called)}_{os.getpid()}"] = name
        for here, live in self.called.items():
            sql = _moved(sql, live, here)
        return self._with_extension(spares.reword(sql) if self.called else sql)

    def _renames(self, sql: str) -> bool:
        """Whether that is all: a scratch schema keeps its name, and stands for another one from now on."""
        if match := _RENAMED.fullmatch(sql):
            old, new = map(_as_written, match.groups())
            here = next((here for here in self.others if self.called[here] == old), "")
            self.called |= {here: new} if here else {}
            return bool(here)
        return False

    def _with_extension(self, sql: str) -> str:
        match = _EXTENSION.fullmatch(sql)
        schema = (_IN_SCHEMA.findall(match[2]) or [self.first])[0] if match else ""
        if not match or schema not in self.called:
            return sql
        name = _as_written(match[1])
        plain = name.strip('"').replace("'", "''")
        return _BRING.format(plain=plain, name=name, schema=schema, sql=sql)


def _moved(sql: str, live: str, here: str) -> str:
    """With its quotes, so that a text that is kept, as a function's is, reads the same when it is taken back."""
    name = rf"(\"?){re.escape(live)}\2(?!\w)" if not live.startswith('"') else f"(){re.escape(live)}"
    sql = re.sub(f"{_BEFORE}{name}", rf"\1\2{here}\2", sql, flags=re.IGNORECASE)
    before = r"""()(?<![\w."'])"""
    pattern = f"{before}{name}" if settings.moves(sql) else rf"{before}{name}(?=\.)|(?<='){re.escape(live)}(?=\.)"
    return re.sub(pattern, rf"\2{here}\2", sql, flags=re.IGNORECASE)


def _as_written(name: str) -> str:
    """As PostgreSQL writes it: without quotes where it needs none."""
    plain = name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
    if re.fullmatch(r"[a-z_][a-z0-9_]*", plain):
        return plain
    return '"' + plain.replace('"', '""') + '"'
