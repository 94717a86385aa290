"""What a statement locks, rewrites and reads on PostgreSQL: seen, in a session beside the shadow, on empty twins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from operator import itemgetter
from typing import NamedTuple

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_INERROR

from service.migrate import heal
from service.migrate.connection import APPLICATION, Connection, connect, explain
from service.migrate.errors import MigrateError, Refused
from service.migrate.proving.bounds import bound
from service.migrate.proving.shadow import Scratch
from service.migrate.proving.standing_in import StandIns
from service.migrate.rehearsing import twins
from service.migrate.rehearsing.touch import LOCKS, Observed, Size, Touch

_CHANGES_ROWS = re.compile(r"\s*(INSERT|UPDATE|DELETE|MERGE|WITH)\b", re.IGNORECASE)
# What is emptied gets a new file too.
_EMPTIES = re.compile(r"\s*TRUNCATE\b", re.IGNORECASE)
_STATES = """
SELECT c.oid, c.relname, c.relfilenode, pg_stat_get_xact_numscans(c.oid) FROM pg_class c
WHERE c.relnamespace = pg_my_temp_schema() AND c.relkind IN ('r', 'p')
"""
_HELD = "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"
_MODES = {f"{lock.title().replace(' ', '')}Lock": lock for lock in LOCKS}
# Planned so, a whole table is read only where no index would do.
_SETTLED = "SET LOCAL lock_timeout = '200ms'; SET LOCAL enable_seqscan = off"
_SCANNED = re.compile(r'Seq Scan on (?:"([^"]+)"|(\w+))')
_LIVE = """
SELECT oid, relname FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = to_regnamespace(?) AND relname = ANY(?)
"""


class _State(NamedTuple):
    number: int
    name: str
    file: int
    scans: int


class _Trace(NamedTuple):
    lock: str
    rewrites: bool
    reads: bool


class Beside:
    """Looks at statements before they run in the shadow. `live` are the tables that are in use; one that a migration
    renames stays one of them."""

    def __init__(self, place: Scratch, live: Mapping[str, Size]) -> None:
        self._place, self._schema = place, place.names.first
        rows = place.connection.execute(_LIVE, [self._schema, list(live)]).fetchall() if live else []
        self._live = {number: live[name] for number, name in rows}
        self._session: Connection | None = None
        self._no_session = ""

    def close(self) -> None:
        if self._session:
            self._session.close()

    def observe(self, sql: str) -> Observed:
        """What it would do to live tables. Where others work on, as beside an index that is built concurrently, there
        is nothing to see; what else stands outside a transaction can't be tried in one."""
        status = self._place.connection.raw.info.transaction_status
        if not self._live or heal.is_concurrent(sql) or status == TRANSACTION_STATUS_INERROR:
            return Observed(sql)
        if heal.stands_alone(sql):
            return Observed(sql, untried="it runs outside of any transaction")
        found = twins.plan(self._place.connection, self._schema, _words(sql))
        if not found.tables.keys() & self._live.keys():
            return Observed(sql)
        try:
            return Observed(sql, tuple(self._tried(found, sql)))
        except (psycopg2.Error, MigrateError) as error:
            is_missed = bool(found.named & self._live.keys())
            return Observed(sql, untried=self._as_live(explain(error)) if is_missed else "")

    def _tried(self, found: twins.Plan, sql: str) -> list[Touch]:
        session = self._opened()
        twins.make(session, found)
        traces = _traces(session, self._reworded(sql), is_emptying=bool(_EMPTIES.match(sql)))
        return [
            Touch(name, trace.lock, trace.rewrites, trace.reads, *self._live[number])
            for number, name in sorted(found.tables.items(), key=itemgetter(1))
            if number in self._live and ((trace := traces[name]).lock or trace.reads)
        ]

    def _reworded(self, sql: str) -> str:
        """Other schemas, which the shadow stands for, are not to be found here."""
        names = StandIns()
        names.called = self._place.names.called | {"pg_temp": self._place.names.live}
        del names.called[self._schema]
        return names.reword(sql)

    def _as_live(self, text: str) -> str:
        for here, there in (self._place.names.called | {"pg_temp": self._place.names.live}).items():
            text = text.replace(here, there)
        return text

    def _opened(self) -> Connection:
        """Raises Refused where no session keeps its temporary tables."""
        if self._no_session:
            raise Refused(self._no_session)
        if self._session is None or self._session.raw.closed:
            try:
                self._session = connect(self._place.connection.url, application=f"{APPLICATION}-beside")
                if self._session.is_pooled:
                    raise Refused("a pooler stands before the database, and its sessions are not ours")
            except MigrateError as error:
                self._no_session = explain(error)
                raise
        return self._session


def _traces(session: Connection, sql: str, *, is_emptying: bool) -> dict[str, _Trace]:
    """What the statement leaves of itself on each twin, in a transaction that is rolled back."""
    session.execute(f"BEGIN; {_SETTLED}")
    try:
        before = _states(session)
        with bound(session.raw):
            scanned = _run(session, sql)
        held, after = _held(session), {state.number: state for state in _states(session)}
    finally:
        session.roll_back()
    found = {}
    for was in before:
        now = was if is_emptying else after.get(was.number, was)
        reads = now.scans > was.scans or was.name in scanned
        found[was.name] = _Trace(held.get(was.number, ""), now.file != was.file, reads)
    return found


def _run(session: Connection, sql: str) -> set[str]:
    """Run it, or where it changes rows only plan it; the tables that the plan reads as a whole."""
    if not _CHANGES_ROWS.match(sql):
        session.execute(sql)
        return set()
    lines = session.execute(f"EXPLAIN {sql.replace('%s', 'NULL')}").fetchall()
    return {quoted or plain for (line,) in lines for quoted, plain in _SCANNED.findall(line)}


def _states(session: Connection) -> list[_State]:
    return [_State(*row) for row in session.execute(_STATES).fetchall()]


def _held(session: Connection) -> dict[int, str]:
    """The strongest lock on each table, by its number."""
    found: dict[int, str] = {}
    for number, mode in session.execute(_HELD).fetchall():
        lock = _MODES.get(mode, "")
        if lock and LOCKS.index(lock) >= LOCKS.index(found.get(number, LOCKS[0])):
            found[number] = lock
    return found


def _words(sql: str) -> list[str]:
    text = sql.lower()
    return sorted({*re.findall(r"\w+", text), *re.findall(r'"([^"]+)"', text)})
