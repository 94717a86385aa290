"""One batch of rows: changed together, and where that fails one by one, to find those that can't be changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import peewee as pw

from service.migrate import contention
from service.migrate.connection import explain
from service.migrate.errors import MigrateError, Refused
from service.migrate.tally import Failure, Key

# What a row becomes: fields and their new values. A function makes it in Python for each row (None: leave it alone); as
# a plain mapping its values are SQL expressions, and each batch is one UPDATE.
Values = Mapping[str, Any]
Change = Values | Callable[[Any], Values | None]

# The row's own errors are reported; these are the migration's or the server's, whatever row they come up at.
_NOT_OF_A_ROW = (pw.OperationalError, pw.InterfaceError, pw.ProgrammingError, NameError, ImportError, MigrateError)
_AFTER, _LAST = object(), object()
_OF_A_ROW_ON_SQLITE = re.compile(r"malformed JSON|integer overflow")


class CantTogether(Exception):
    """One of the rows of a batch can't be changed."""


@dataclass(frozen=True)
class Batch:
    """What a batch came to: its last key (None where there was no row), how many rows, and which failed."""

    last: Key | None = None
    count: int = 0
    failures: tuple[Failure, ...] = ()


class Rows:
    """The rows of a model, and what they become. Works inside the caller's transaction."""

    def __init__(self, database: Any, model: Any, key: Any, change: Change, where: Any) -> None:
        self._database, self._model, self._change, self._where = database, model, change, where
        self._key, self.is_sqlite = key, isinstance(database, pw.SqliteDatabase)
        self._compiled: dict[Any, tuple[str, list[Any]]] = {}
        if not callable(change):
            self._check_names(change)

    def count(self, after: Key | None) -> int:
        """The rows that are left to do."""
        return int(self._model.select().where(self._asked(self._beyond(after))).count())

    def change(self, after: Key | None, limit: int, *, one_by_one: bool = False) -> Batch:
        """Change the first rows beyond a key. Raises CantTogether where one UPDATE of them all meets a row that it
        can't change: the caller rolls back, and asks for one by one. A savepoint for each batch would cost a sixth."""
        if callable(self._change):
            return self._change_each(self._change, self._beyond(after), limit)
        last = self._last(after, limit)
        if last is None:
            return Batch()
        if one_by_one:
            keys = self._keys(after, last)
            return Batch(last, len(keys), self._each(self._queries(keys)))
        try:
            return Batch(last, self._run("change", after, last).rowcount)
        except Exception as error:
            if _is_of_a_row(error):
                raise CantTogether from error
            raise

    def change_again(self, keys: Sequence[Key]) -> tuple[Failure, ...]:
        """Change rows that failed before; those that fail again."""
        if callable(self._change):
            return self._change_each(self._change, self._key.in_(keys), len(keys)).failures
        return self._each(self._queries(keys))

    def _asked(self, condition: Any) -> Any:
        """Of these rows the ones that the migration asked for."""
        return condition if self._where is None else condition & self._where

    def _beyond(self, after: Any) -> Any:
        return pw.SQL("1 = 1") if after is None else self._key > after

    def _queries(self, keys: Sequence[Key]) -> Iterator[tuple[Key, Any]]:
        update = self._model.update(self._change)
        return ((key, update.where(self._asked(self._key == key))) for key in keys)

    def _last(self, after: Key | None, limit: int) -> Key | None:
        """The key at which a batch ends. It is looked for before the update: a row may come in between."""
        row = self._run("border", after, limit=limit).fetchone() or self._run("end", after).fetchone()
        return self._key.db_value(row[0]) if row else None

    def _keys(self, after: Key | None, last: Key) -> list[Key]:
        return [self._key.db_value(key) for (key,) in self._run("keys", after, last).fetchall()]

    def _run(self, what: str, after: Key | None, last: Key | None = None, *, limit: int = 1) -> Any:
        """Run one of our statements, which Peewee makes once for all batches: it takes as long for that as a small
        batch does. `_AFTER` and `_LAST` stand for the keys."""
        known = (what, after is None)
        if known not in self._compiled:
            selected = self._asked(self._beyond(None if after is None else pw.Value(_AFTER, converter=False)))
            upto = selected & (self._key <= pw.Value(_LAST, converter=False))
            keys = self._model.select(self._key)
            query = {
                "border": keys.where(selected).order_by(self._key).offset(limit - 1).limit(1),
                "end": keys.where(selected).order_by(self._key.desc()).limit(1),
                "keys": keys.where(upto).order_by(self._key),
                "change": self._model.update(self._change).where(upto),
            }[what]
            self._compiled[known] = query.sql()
        sql, parameters = self._compiled[known]
        stand_ins = {id(_AFTER): after, id(_LAST): last}
        return self._database.execute_sql(sql, [stand_ins.get(id(value), value) for value in parameters])

    def _change_each(self, function: Callable[[Any], Values | None], selected: Any, limit: int) -> Batch:
        query = self._model.select().where(self._asked(selected)).order_by(self._key).limit(limit)
        if not self.is_sqlite:
            query = query.for_update("FOR NO KEY UPDATE")  # nobody changes what the function is looking at
        keys: list[Key] = []
        failures: list[Failure] = []
        changes: list[tuple[Key, Values]] = []
        found = list(query)
        self._database.last_statement = ""  # what the function raises has nothing to do with it
        for row in found:
            key = self._key.db_value(row._pk)
            keys.append(key)
            with self._guarded(key, failures):
                values = self._checked(function(row))
                if values:
                    changes.append((key, values))
        return Batch(keys[-1] if keys else None, len(keys), (*failures, *self._write(changes)))

    def _each(self, queries: Iterable[tuple[Key, Any]]) -> tuple[Failure, ...]:
        """One by one, to find the rows that fail."""
        failures: list[Failure] = []
        for key, query in queries:
            with self._guarded(key, failures):
                query.execute()
        return tuple(failures)

    @contextmanager
    def _guarded(self, key: Key, failures: list[Failure]) -> Iterator[None]:
        """Undo what an error leaves of one row, and note it."""
        try:
            with _savepoint(self._database, "backfill_row"):
                yield
        except Exception as error:
            if not _is_of_a_row(error):
                raise
            failures.append((key, _reason(error)))

    def _write(self, changes: Sequence[tuple[Key, Values]]) -> tuple[Failure, ...]:
        """All at once, and only where that fails one by one: the function is not called again."""
        try:
            with _savepoint(self._database, "backfill_batch"):
                self._write_together(changes)
            return ()
        except Exception as error:
            if not _is_of_a_row(error):
                raise
        return self._each((key, self._model.update(values).where(self._key == key)) for key, values in changes)

    def _write_together(self, changes: Sequence[tuple[Key, Values]]) -> None:
        """One statement a row, as its values are no other row's; those that are alike are sent together."""
        alike: dict[str, list[Any]] = {}
        for key, values in changes:
            sql, parameters = self._statement(key, values)
            alike.setdefault(sql, []).append(parameters)
        for sql, rows in alike.items():
            with pw.__exception_wrapper__:  # type: ignore[attr-defined]  # the stub leaves it out
                self._send(self._database.cursor(), sql, rows)

    def _statement(self, key: Key, values: Values) -> tuple[str, list[Any]]:
        """Made once for all rows with these fields: Peewee takes longer for it than the database does for the row.
        Where a value is SQL, as JSON is on SQLite, it stays with Peewee."""
        fields = [self._model._meta.combined[name] for name in values]
        stored = [field.db_value(value) for field, value in zip(fields, values.values(), strict=True)]
        if any(isinstance(value, pw.Node) for value in stored):
            sql, parameters = self._model.update(values).where(self._key == key).sql()
            return sql, parameters
        names = tuple(values)
        if names not in self._compiled:
            table, own, *columns = (
                self._database.get_sql_context().sql(entity).query()[0]
                for entity in (self._model._meta.entity, *(pw.Entity(one.column_name) for one in (self._key, *fields)))
            )
            mark = self._database.param
            assignments = ", ".join(f"{column} = {mark}" for column in columns)
            self._compiled[names] = f"UPDATE {table} SET {assignments} WHERE {own} = {mark}", []
        return self._compiled[names][0], [*stored, key]

    def _send(self, cursor: Any, sql: str, rows: Sequence[Any]) -> None:
        if self.is_sqlite:
            cursor.executemany(sql, rows)
            return
        from psycopg2.extras import execute_batch  # here, so that SQLite users do not pay for it

        execute_batch(cursor, sql, rows)

    def _checked(self, values: Any) -> Values | None:
        if values is not None and not isinstance(values, Mapping):
            what = type(values).__name__
            raise Refused(
                f"The function of a backfill returns a dict of changes, or None to leave the row alone; not {what}."
            )
        self._check_names(values or {})
        return values

    def _check_names(self, values: Values) -> None:
        unknown = [name for name in values if name not in self._model._meta.combined]
        if unknown:
            table = self._model._meta.table_name
            raise Refused(f"The backfill of {table} sets {unknown[0]}, and there is no such field.")


@contextmanager
def _savepoint(database: Any, name: str) -> Iterator[None]:
    """Made when the first statement comes: a function that only computes costs none."""
    opened = []

    def open_savepoint() -> None:
        database.before_statement = None
        opened.append(database.cursor().execute(f"SAVEPOINT {name}"))

    database.before_statement = open_savepoint
    try:
        yield
    except Exception:
        database.before_statement = None
        if opened:
            database.cursor().execute(f"ROLLBACK TO SAVEPOINT {name}")
        raise
    finally:
        database.before_statement = None
    if opened:
        database.cursor().execute(f"RELEASE SAVEPOINT {name}")


def _is_of_a_row(error: Exception) -> bool:
    if isinstance(error, pw.OperationalError) and _OF_A_ROW_ON_SQLITE.search(str(error)):
        return True
    return not isinstance(error, _NOT_OF_A_ROW) and not contention.is_contention(error)


def _reason(error: Exception) -> str:
    """For logs: without what the message quotes from the row."""
    text = re.sub(r"(?<!\w)'.*?'(?!\w)|(?<=: )\".*", "…", explain(error))
    return f"{type(error).__name__}: {text}"
