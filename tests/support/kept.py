"""PostgreSQL databases that serve test after test, emptied in between: to make one anew takes ten times as long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from service.url import DatabaseUrl
from tests.support.postgresql import Server, connect, create_database, drop_database
from tests.support.processes import HANGS

# What a test may have changed besides what is emptied: then the next one gets a new database.
_SCHEMA = """
SELECT (SELECT md5(string_agg(concat_ws(' ', c.relname, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef),
                              ',' ORDER BY c.relname, a.attnum))
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'public'::regnamespace),
       (SELECT md5(string_agg(h::text, ',' ORDER BY h.id)) FROM migratehistory h),
       (SELECT md5(string_agg(j::text, ',' ORDER BY j.id)) FROM migratejournal j),
       (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_namespace)
"""
_COUNTED = "class proc type operator cast collation language extension event_trigger publication foreign_server"
_COUNTED += " default_acl largeobject_metadata namespace db_role_setting"
_SURROUNDINGS = f"""
SELECT datconnlimit, datallowconn, datistemplate, datdba, datacl::text, nspowner, nspacl::text,
       {", ".join(f"(SELECT count(*) FROM pg_{name})" for name in _COUNTED.split())}
FROM pg_database, pg_namespace WHERE datname = current_database() AND nspname = 'public'
"""
_END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_TABLES = """
SELECT c.relname FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
    AND c.relname NOT IN ('migratehistory', 'migratejournal')
"""
_SEQUENCES = """
SELECT count(setval(s.oid, 1, false)) FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.deptype = 'a'
JOIN pg_class c ON c.oid = d.refobjid
WHERE s.relkind = 'S' AND c.relname NOT IN ('migratehistory', 'migratejournal')
"""


class KeptDatabase:
    """Emptied over one lasting session: a new one would first have to learn what the database holds."""

    def __init__(self, server: Server, template: str, empty: Callable[[Cursor], None], fingerprint: str) -> None:
        self._server, self._template = server, template
        self._empty, self._query = empty, fingerprint
        self._url: DatabaseUrl | None = None
        self._session: Connection | None = None
        self._fingerprint: object = None

    def fresh(self) -> DatabaseUrl:
        """The database, as the template is."""
        if self._url is None or not self._is_emptied():
            self.drop()
            self._url = create_database(self._server, template=self._template)
            self._session = connect(self._url)
            self._session.autocommit = True
            with self._session.cursor() as cursor:
                self._fingerprint = _answer(cursor, self._query)
        return self._url

    def drop(self) -> None:
        if self._session:
            self._session.close()
        if self._url:
            drop_database(self._server, self._url)
        self._url = self._session = None

    def _is_emptied(self) -> bool:
        """False where a test has changed more than is emptied, or has ended the session."""
        if self._session is None:
            return False
        try:
            with self._session.cursor() as cursor:
                _await_solitude(cursor)
                self._empty(cursor)
                return _answer(cursor, self._query) == self._fingerprint
        except psycopg2.Error:
            return False


def with_schema(server: Server, template: str) -> KeptDatabase:
    """The template's tables, without a row."""
    return KeptDatabase(server, template, _delete_rows, _SCHEMA)


def without_tables(server: Server) -> KeptDatabase:
    """As CREATE DATABASE makes it."""
    return KeptDatabase(server, "template0", _drop_all, _SURROUNDINGS)


def _await_solitude(cursor: Cursor) -> None:
    """The server itself could wait for the end of a session, but looks for it only ten times a second."""
    deadline = time.monotonic() + HANGS
    cursor.execute(_END_OTHERS)
    while cursor.rowcount:
        assert time.monotonic() < deadline, "a session of the test before does not end"
        time.sleep(0.001)
        cursor.execute(_END_OTHERS)


def _answer(cursor: Cursor, query: str) -> tuple[Any, ...] | None:
    cursor.execute(query)
    return cursor.fetchone()


def _delete_rows(cursor: Cursor) -> None:
    """Without triggers and foreign keys, which would forbid what a test may forget."""
    cursor.execute(_TABLES)
    names = [name for (name,) in cursor.fetchall()]
    deletions = [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name in names]
    cursor.execute("SET session_replication_role = replica")
    cursor.execute(sql.SQL("; ").join(deletions))
    cursor.execute(_SEQUENCES)


def _drop_all(cursor: Cursor) -> None:
    """The schema is made again with the owner and the rights that it had: PostgreSQL's releases differ in them."""
    had = _answer(cursor, "SELECT nspowner, nspacl::text FROM pg_namespace WHERE nspname = 'public'")
    cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    cursor.execute("UPDATE pg_namespace SET nspowner = %s, nspacl = %s::aclitem[] WHERE nspname = 'public'", had)
