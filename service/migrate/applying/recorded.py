"""A database as a migration gets it: it remembers what runs, and refuses to end the transaction. For the SQL of a .sql
file that is all there is to it; Python gets Peewee's (adopted.py), which takes as long to import as twenty migrations
take to run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from service.migrate.applying import statements
from service.migrate.connection import Connection
from service.migrate.errors import Refused

# Not ROLLBACK TO, with which Peewee undoes a nested atomic().
_ENDS_TRANSACTION = re.compile(
    r"(BEGIN|COMMIT|END|ABORT|(START|PREPARE)\s+TRANSACTION|ROLLBACK(?!\s+TO))\b", re.IGNORECASE
)
_ENDS_SOMEWHERE = re.compile(r"\b(COMMIT|END|ABORT|PREPARE|ROLLBACK)\b", re.IGNORECASE)
_COMMITS = re.compile(r"(COMMIT(?!\s+PREPARED)|END)\b", re.IGNORECASE)
HAS_ENDED = "it has ended the transaction, which is the runner's to end"
# After these everything is still there that was there before, and what refers to it is right: no need to look.
_ONLY_ADDS = re.compile(
    r"CREATE (UNIQUE )?(TABLE|INDEX) (?!.*(;|\bAS\b)).*"
    r"|ALTER TABLE \S+ ADD (COLUMN (?!.*\bREFERENCES\b)|CONSTRAINT )[^,;]*",
    re.IGNORECASE,
)
# A name may be more than one word.
_QUOTED = re.compile(r"""["`\[]([^"`\]]+)["`\]]""")
_SHOWN = 300


class EndsTransaction(Refused):
    def __init__(self, statement: str) -> None:
        self.statement = statement
        super().__init__(
            "The runner begins and commits: all of a migration together, or each of its steps with "
            "`atomic = False` at the top of the file (`-- atomic: false` in .sql)."
        )


def ends_transaction(statement: str) -> bool:
    return bool(_ENDS_TRANSACTION.match(statement))


@lru_cache(maxsize=4)  # those of a backfill come again with each batch
def _read(sql: str) -> tuple[str, bool, bool]:
    """How a message shows it, whether it only adds, and whether it ends the transaction."""
    statement = " ".join(sql.split())
    shown = statement[:_SHOWN] + ("…" if len(statement) > _SHOWN else "")
    return shown, bool(_ONLY_ADDS.fullmatch(statement)), ends_transaction(statement)


class Recorded:
    """Remembers the statement that is running, for the message when it fails, and what the migration has spoken of;
    guards the transaction. Who inherits it says how a statement is `sent`, and calls `may_lose` before anything that
    could lose rows or tables."""

    last_statement = ""
    is_atomic = True
    is_in_batch = False
    is_held = False
    before_loss: Callable[[], None] | None = None
    has_only_added = True
    _only_adds = False
    reword: Callable[[str], str] | None = None  # where a statement means another place than it says

    def forget(self) -> None:
        """Begin a new migration."""
        self.spoken_of: set[str] = set()
        self.rebuilt: set[str] = set()
        self.has_only_added = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within, nothing takes back the transaction, and with it the runner's own entry: what came after would stand,
        one by one, and a kill would leave it to be done again. A COMMIT leaves the entry, which tells."""
        self.is_held = True
        try:
            yield
        finally:
            self.is_held = False

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        if self.reword is not None:
            sql = self.reword(sql)
        if self.is_atomic:
            self.spoken_of.update(re.findall(r"\w+", sql.lower()), _QUOTED.findall(sql.lower()))
        self.last_statement, self._only_adds, ends = _read(sql)
        try:
            if ends:
                self._refuse_end(sql)
            return self.sent(sql, params)
        finally:
            self._only_adds = False

    def sent(self, sql: str, params: Any) -> Any:
        raise NotImplementedError

    def may_lose(self) -> None:
        if not self._only_adds:
            self.has_only_added = False
            if self.before_loss is not None:
                self.before_loss()

    def _refuse_end(self, sql: str) -> None:
        if self.is_atomic:
            raise EndsTransaction(" ".join(sql.split()))
        if self.is_in_batch:
            raise Refused("Each batch of a backfill is committed by the runner, together with how far it came.")


def refuse_to_roll_back(database: Recorded, text: str) -> None:
    """Of the statements of a text that goes to PostgreSQL as it is. Raises EndsTransaction."""
    if not (database.is_held and _ENDS_SOMEWHERE.search(text)):
        return
    for statement in statements.split(text, is_sqlite=False):
        if _COMMITS.match(statement.sql):
            database.is_held = False
            return
        if not statement.sql.upper().startswith(("BEGIN", "START")) and ends_transaction(statement.sql):
            raise EndsTransaction(statement.sql)


class SqlDatabase(Recorded):
    """The runner's own connection, for statements without parameters."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.forget()

    def sent(self, sql: str, _params: Any) -> Any:
        self.may_lose()
        return self._connection.execute(sql)

    @contextmanager
    def atomic(self, _lock_type: str = "") -> Iterator[None]:
        with self._connection.transaction():
            yield

    @contextmanager
    def framed(self, begin: Callable[[], Any], end: Callable[[], Any] | None) -> Iterator[Any]:
        with self._connection.transaction(begin, end) as answer:
            yield answer
