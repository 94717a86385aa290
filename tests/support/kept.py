"""One PostgreSQL database for test after test, emptied in between: to copy a template takes ten times as long."""

from __future__ import annotations

import time

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from service.url import DatabaseUrl
from tests.support.postgresql import Server, connect, create_database, drop_database

# What a test may have changed besides rows: then the next one gets a new copy.
_FINGERPRINT = """
SELECT (SELECT md5(string_agg(concat_ws(' ', c.relname, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef),
                              ',' ORDER BY c.relname, a.attnum))
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'public'::regnamespace),
       (SELECT md5(string_agg(h::text, ',' ORDER BY h.id)) FROM migratehistory h),
       (SELECT md5(string_agg(j::text, ',' ORDER BY j.id)) FROM migratejournal j),
       (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_namespace)
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

    def __init__(self, server: Server, template: str) -> None:
        self._server, self._template = server, template
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
            self._fingerprint = _fingerprint(self._session)
        return self._url

    def drop(self) -> None:
        if self._session:
            self._session.close()
        if self._url:
            drop_database(self._server, self._url)
        self._url = self._session = None

    def _is_emptied(self) -> bool:
        """False where a test has changed more than rows, or has ended the session."""
        if self._session is None:
            return False
        try:
            _await_solitude(self._session)
            if _fingerprint(self._session) != self._fingerprint:
                return False
            _empty(self._session)
        except psycopg2.Error:
            return False
        return True


def _await_solitude(connection: Connection, seconds: float = 5.0) -> None:
    """The server itself could wait for the end of a session, but looks for it only ten times a second."""
    deadline = time.monotonic() + seconds
    with connection.cursor() as cursor:
        cursor.execute(_END_OTHERS)
        while cursor.rowcount:
            assert time.monotonic() < deadline, "a session of the test before does not end"
            time.sleep(0.001)
            cursor.execute(_END_OTHERS)


def _fingerprint(connection: Connection) -> object:
    with connection.cursor() as cursor:
        cursor.execute(_FINGERPRINT)
        return cursor.fetchone()


def _empty(connection: Connection) -> None:
    """Without triggers and foreign keys, which would forbid what a test may forget."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        names = [name for (name,) in cursor.fetchall()]
        deletions = [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name in names]
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(sql.SQL("; ").join(deletions))
        cursor.execute(_SEQUENCES)
