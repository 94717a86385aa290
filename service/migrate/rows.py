"""One batch of rows: changed together, and where that fails one by one, to find those that can't be changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
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
_OF_A_ROW_ON_SQLITE = re.compile(r"malformed JSON|integer overflow")


class Rows:
    """The rows of a model, and what they become. Works inside the caller's transaction."""

    def __init__(self, database: Any, model: Any, change: Change) -> None:
        self._database, self._model, self._change = database, model, change
        self.key, self.is_sqlite = _key_of(model), isinstance(database, pw.SqliteDatabase)
        self._statements: dict[tuple[str, ...], str] = {}
        if not callable(change):
            self._check_names(change)

    def change(self, selected: Any, limit: int | None) -> tuple[list[Key], list[Failure]]:
        """Change the first rows of a selection; their keys in order, and those that could not be changed."""
        if callable(self._change):
            return self._change_each(self._change, selected, limit)
        query = self._model.select(self.key).where(selected).order_by(self.key).limit(limit)
        keys = [self.key.db_value(key) for (key,) in self._database.execute(query).fetchall()]
        if not keys:
            return [], []
        update = self._model.update(self._change)
        together = update.where(selected & (self.key <= keys[-1]))
        each = ((key, update.where(selected & (self.key == key))) for key in keys)
        return keys, self._isolated(together.execute, each)

    def _change_each(
        self, function: Callable[[Any], Values | None], selected: Any, limit: int | None
    ) -> tuple[list[Key], list[Failure]]:
        query = self._model.select().where(selected).order_by(self.key).limit(limit)
        if not self.is_sqlite:
            query = query.for_update("FOR NO KEY UPDATE")  # nobody changes what the function is looking at
        keys: list[Key] = []
        failures: list[Failure] = []
        changes: list[tuple[Key, Values]] = []
        found = list(query)
        self._database.last_statement = ""  # what the function raises has nothing to do with it
        for row in found:
            key = self.key.db_value(row._pk)
            keys.append(key)
            with self._guarded(key, failures):
                values = self._checked(function(row))
                if values:
                    changes.append((key, values))
        each = ((key, self._model.update(values).where(self.key == key)) for key, values in changes)
        return keys, failures + self._isolated(partial(self._write, changes), each)

    def _isolated(self, together: Callable[[], Any], each: Iterable[tuple[Key, Any]]) -> list[Failure]:
        """All at once; only where that fails one by one, to find the rows that do."""
        try:
            with self._database.atomic():
                together()
            return []
        except Exception as error:
            if not _is_of_a_row(error):
                raise
        failures: list[Failure] = []
        for key, query in each:
            with self._guarded(key, failures):
                query.execute()
        return failures

    @contextmanager
    def _guarded(self, key: Key, failures: list[Failure]) -> Iterator[None]:
        """Undo what an error leaves of one row, and note it. The savepoint is made when the first statement comes:
        a function that only computes costs none."""
        database, opened = self._database, []

        def open_savepoint() -> None:
            database.before_statement = None
            opened.append(database.cursor().execute("SAVEPOINT backfill_row"))

        database.before_statement = open_savepoint
        try:
            yield
        except Exception as error:
            database.before_statement = None
            if not _is_of_a_row(error):
                raise
            if opened:
                database.cursor().execute("ROLLBACK TO SAVEPOINT backfill_row")
            failures.append((key, _reason(error)))
        finally:
            database.before_statement = None
        if opened:
            database.cursor().execute("RELEASE SAVEPOINT backfill_row")

    def _write(self, changes: Sequence[tuple[Key, Values]]) -> None:
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
            sql, parameters = self._model.update(values).where(self.key == key).sql()
            return sql, parameters
        names = tuple(values)
        if names not in self._statements:
            table, own, *columns = (
                self._database.get_sql_context().sql(entity).query()[0]
                for entity in (self._model._meta.entity, *(pw.Entity(one.column_name) for one in (self.key, *fields)))
            )
            mark = self._database.param
            assignments = ", ".join(f"{column} = {mark}" for column in columns)
            self._statements[names] = f"UPDATE {table} SET {assignments} WHERE {own} = {mark}"
        return self._statements[names], [*stored, key]

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


def _key_of(model: Any) -> Any:
    """The field that orders the batches. Raises Refused for a key that can't."""
    key, table = model._meta.primary_key, model._meta.table_name
    if not key or isinstance(key, pw.CompositeKey):
        what = f"the key of {table} is {', '.join(key.field_names)}" if key else f"{table} has none"
        raise Refused(
            f"A backfill goes through a table by a primary key of one column, and {what}; use migrator.run with a "
            "function of your own."
        )
    kind = key
    while isinstance(kind, pw.ForeignKeyField):
        kind = kind.rel_field
    if not isinstance(kind, pw.IntegerField | pw.CharField | pw.TextField | pw.UUIDField):
        raise Refused(f"A backfill needs a key of integers, text or UUIDs; that of {table} is a {type(kind).__name__}.")
    return key


def _is_of_a_row(error: Exception) -> bool:
    if isinstance(error, pw.OperationalError) and _OF_A_ROW_ON_SQLITE.search(str(error)):
        return True
    return not isinstance(error, _NOT_OF_A_ROW) and not contention.is_contention(error)


def _reason(error: Exception) -> str:
    """For logs: without what the message quotes from the row."""
    text = re.sub(r"(?<!\w)'.*?'(?!\w)|(?<=: )\".*", "…", explain(error))
    return f"{type(error).__name__}: {text}"
