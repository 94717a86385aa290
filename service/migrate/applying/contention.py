"""Never queue in front of the application: short lock timeouts, a few tries, and the names of those who block.

A statement that waits for a lock makes everybody queue who comes after it, readers too. So it gives up early, and the
whole migration is tried again a little later (PostgreSQL manual, "Explicit Locking").
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from service.migrate import connection
from service.migrate.connection import Connection, Statement
from service.migrate.patience import Patience
from service.migrate.waits import Toll

# lock_not_available, deadlock_detected: PostgreSQL manual, appendix A.
_CODES = {"55P03", "40P01"}
_LOOK_EVERY = 0.5
_LONGEST_PAUSE = 15.0
_BLOCKERS = """
SELECT a.pid, a.application_name, a.state, extract(epoch FROM now() - coalesce(a.xact_start, a.state_change)), a.query
FROM pg_stat_activity w JOIN pg_stat_activity a ON a.pid = ANY(pg_blocking_pids(w.pid))
WHERE w.application_name = ? AND w.datname = current_database() AND w.state = 'active'
UNION ALL
SELECT -p.transaction::text::bigint, p.gid, 'prepared', extract(epoch FROM now() - p.prepared), ''
FROM pg_stat_activity w JOIN pg_prepared_xacts p ON p.database = current_database() AND 0 = ANY(pg_blocking_pids(w.pid))
WHERE w.application_name = ? AND w.datname = current_database() AND w.state = 'active'
"""


def is_contention(error: BaseException) -> bool:
    """Whether somebody else's lock is the reason, so that trying again may help. Looks through Peewee's wrapping."""
    seen: BaseException | None = error
    while seen is not None:
        if getattr(seen, "pgcode", None) in _CODES or "database is locked" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def pause_before(attempt: int) -> float:
    """Seconds to wait before a try, from 2: longer each time, with jitter so that two deploys do not stay in step."""
    from random import uniform  # here: hardly any migration has to be tried again

    return min(2.0 ** (attempt - 2), _LONGEST_PAUSE) * uniform(0.5, 1.0)  # noqa: S311  # jitter, not a secret


def set_timeouts(database: Connection, patience: Patience, *, is_concurrent: bool) -> None:
    """For the session. CONCURRENTLY must be able to wait: a lock timeout would kill it and leave an INVALID index. A
    session of a transaction pooler is not ours to set: the next statement may meet another one, and somebody else's
    this one, so that there a statement on its own has the server's limits."""
    found = [] if database.is_pooled else timeouts(database, patience, is_local=False, is_concurrent=is_concurrent)
    if found:
        database.execute_all(*found)


def timeouts(
    database: Connection, patience: Patience, *, is_local: bool, is_concurrent: bool = False
) -> list[Statement]:
    """The statements that set them: none on SQLite. A transaction may be idle for as long as its migration computes;
    where its process is gone, whoever deploys next ends it."""
    if database.is_sqlite:
        return []
    lock = 0 if is_concurrent else patience.lock_timeout
    found: list[Statement] = [
        (f"SET {'LOCAL' if is_local else 'SESSION'} {name} = ?", [f"{seconds * 1000:.0f}ms"])
        for name, seconds in (("lock_timeout", lock), ("statement_timeout", patience.statement_timeout))
        if seconds or not is_local
    ]
    return [*found, ("SET LOCAL idle_in_transaction_session_timeout = 0", ())] if is_local else found


class Watch:
    """Looks who blocks a connection, while it is `looking`; `blockers` are what it saw last of the work at hand, by
    their server processes. One thread for a whole deploy, which opens a connection of its own only when some work
    takes longer than a moment."""

    def __init__(self, watched: Connection) -> None:
        self.blockers: dict[int, str] = {}
        self._url, self._over = watched.url, threading.Event()
        # Through a pooler the server process changes; the name goes along.
        self._name = "" if watched.is_sqlite else str(watched.raw.info.parameter_status("application_name"))
        self._since: float | None = None
        self._toll = Toll()
        self._thread = threading.Thread(target=self._look, name="migrate-watch", daemon=True)

    def __enter__(self) -> Watch:
        if self._name:
            self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._over.set()
        if self._name:
            self._thread.join()

    @contextmanager
    def looking(self, toll: Toll) -> Iterator[None]:
        """What is seen of others is added to the toll. Between two looks it is as it was at the second one."""
        toll.begin_try()
        self.blockers, self._toll, self._since = {}, toll, time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def _look(self) -> None:
        database: Connection | None = None
        last = time.monotonic()
        while not self._over.wait(_LOOK_EVERY):
            since, toll = self._since, self._toll
            if since is None or time.monotonic() - since < _LOOK_EVERY / 2:
                continue
            try:
                database = database or connection.connect(self._url, application=f"{connection.APPLICATION}-watch")
                seen = {row[0]: describe(*row) for row in database.execute(_BLOCKERS, [self._name] * 2).fetchall()}
            except Exception as error:  # watching is a courtesy: it must not fail what is watched
                database, seen = None, {}
                self.blockers = self.blockers or {0: f"unknown: {connection.explain(error)}"}
            now = time.monotonic()
            if seen and self._since == since:  # what was seen is about work that is still going on
                self.blockers = seen
                toll.add(now - max(since, last), seen)
            last = now
        if database:
            database.close()


def describe(pid: int, application: str, state: str, seconds: float | None, query: str) -> str:
    """A session for a log: no literal of its query, since those are people's data. A transaction that was prepared and
    not ended has none (PostgreSQL manual, "PREPARE TRANSACTION"), and a number below zero."""
    if pid < 0:
        return f"the transaction {application!r} of pg_prepared_xacts (prepared for {float(seconds or 0):.0f} s)"
    masked = re.sub(r"'(?:[^']|'')*'?|\b\d+\b", "?", " ".join(query.split()))[:80]
    return f"server process {pid} ({application or 'unnamed'}, {state} for {float(seconds or 0):.0f} s: {masked})"


OnBlocked = Callable[[str, int, int, Sequence[str]], None]
