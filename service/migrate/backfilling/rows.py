"""One batch of rows: changed together, and where that fails one by one, to find those that can't be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import peewee as pw

from service.migrate.backfilling.guard import Guard, Savepoint, is_of_a_row
from service.migrate.backfilling.tally import Failure, Key
from service.migrate.errors import Refused

# What a row becomes: fields and their new values. A function makes it in Python for each row (None: leave it alone); as
# a plain mapping its values are SQL expressions, and each batch is one UPDATE.
Values = Mapping[str, Any]
Change = Values | Callable[[Any], Values | None]

_AFTER, _LAST = object(), object()
# -1: of any length, also where a bare name means a length of one, as it does for character.
_KINDS = """
SELECT attname, format_type(CASE typtype WHEN 'd' THEN typbasetype ELSE atttypid END, -1)
FROM pg_attribute JOIN pg_type t ON t.oid = atttypid WHERE attrelid = %s::regclass
"""


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
        query = self._model.select(pw.fn.COUNT(pw.SQL("*")))  # Peewee's own count() is that of a subquery
        if after is not None or self._where is not None:  # SQLite counts a whole table in two thirds of the time
            query = query.where(self._asked(self._beyond(after)))
        return int(query.scalar())

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
            if is_of_a_row(error):
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
        found, guard = list(query), Guard(self._database, failures)
        self._database.last_statement = ""  # what the function raises has nothing to do with it
        for row in found:
            key = self._key.db_value(row._pk)
            keys.append(key)
            with guard.of(key):
                values = self._checked(function(row))
                if values:
                    changes.append((key, values))
        return Batch(keys[-1] if keys else None, len(keys), (*failures, *self._write(changes)))

    def _each(self, queries: Iterable[tuple[Key, Any]]) -> tuple[Failure, ...]:
        """One by one, to find the rows that fail."""
        failures: list[Failure] = []
        guard = Guard(self._database, failures)
        for key, query in queries:
            with guard.of(key):
                query.execute()
        return tuple(failures)

    def _write(self, changes: Sequence[tuple[Key, Values]]) -> tuple[Failure, ...]:
        """All at once, and only where that fails one by one: the function is not called again."""
        try:
            with Savepoint(self._database, "backfill_batch"):
                self._write_together(changes)
            return ()
        except Exception as error:
            # Values that can't stand in one column together may still do so each in its own row.
            if not (is_of_a_row(error) or isinstance(error, pw.ProgrammingError)):
                raise
        return self._each((key, self._model.update(values).where(self._key == key)) for key, values in changes)

    def _write_together(self, changes: Sequence[tuple[Key, Values]]) -> None:
        """Rows in which the same fields change are sent together. Where a value is SQL, as JSON is on SQLite, the row
        stays with Peewee."""
        alike: dict[tuple[str, ...], list[Any]] = {}
        combined = self._model._meta.combined
        for key, values in changes:
            stored = [combined[name].db_value(value) for name, value in values.items()]
            if any(isinstance(value, pw.Node) for value in stored):
                self._model.update(values).where(self._key == key).execute()
            else:
                alike.setdefault(tuple(values), []).append([*stored, key])
        for names, rows in alike.items():
            with pw.__exception_wrapper__:  # type: ignore[attr-defined]  # the stub leaves it out
                self._send(self._database.cursor(), self._statement(names), rows)

    def _statement(self, names: tuple[str, ...]) -> str:
        """Made once for all rows with these fields: Peewee takes longer for it than the database does for the row."""
        if names not in self._compiled:
            columns = [self._model._meta.combined[name].column_name for name in names]
            table = self._quoted(self._model._meta.entity)
            if self.is_sqlite:
                assignments = ", ".join(f"{self._quoted(pw.Entity(column))} = ?" for column in columns)
                sql = f"UPDATE {table} SET {assignments} WHERE {self._quoted(pw.Entity(self._key.column_name))} = ?"
            else:
                sql = self._joined(table, columns)
            self._compiled[names] = sql, []
        return self._compiled[names][0]

    def _joined(self, table: str, columns: Sequence[str]) -> str:
        """On PostgreSQL the rows of a batch are one statement, which takes half the time of one for each. A column of
        VALUES has a type of its own, so that each is told what it is to be; without its length, which would cut."""
        kind = dict(self._database.execute_sql(_KINDS, [table]).fetchall())
        names = [f"c{number}" for number in range(len(columns))]
        assignments = ", ".join(
            f"{self._quoted(pw.Entity(column))} = new.{name}::{kind[column]}"
            for column, name in zip(columns, names, strict=True)
        )
        own = self._key.column_name
        return (
            f"UPDATE {table} SET {assignments} FROM (VALUES %s) AS new({', '.join(names)}, of)"
            f" WHERE {table}.{self._quoted(pw.Entity(own))} = new.of::{kind[own]}"
        )

    def _quoted(self, entity: Any) -> str:
        return str(self._database.get_sql_context().sql(entity).query()[0])

    def _send(self, cursor: Any, sql: str, rows: Sequence[Any]) -> None:
        if self.is_sqlite:
            cursor.executemany(sql, rows)
            return
        from psycopg2.extras import execute_values  # here, so that SQLite users do not pay for it

        execute_values(cursor, sql, rows, page_size=len(rows))

    def _checked(self, values: Any) -> Values | None:
        if values is not None and not isinstance(values, Mapping):
            what = type(values).__name__
            raise Refused(
                f"The function of a backfill returns a dict of changes, or None to leave the row alone; not {what}."
            )
        self._check_names(values or {})
        return values

    def _check_names(self, values: Values) -> None:
        if unknown := [name for name in values if name not in self._model._meta.combined]:
            table = self._model._meta.table_name
            raise Refused(f"The backfill of {table} sets {unknown[0]}, and there is no such field.")
