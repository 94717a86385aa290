"""The verbs of a migration: peewee_migrate's own, and what we do differently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import peewee as pw
from peewee_migrate.migrator import ORM

from service.migrate.altering import indexes, keys
from service.migrate.altering.alter import Alterations
from service.migrate.altering.sqlite import SafeSqliteMigrator, rebuild
from service.migrate.applying import statements
from service.migrate.applying.steps import Steps, add_sql
from service.migrate.backfilling.backfill import Backfill
from service.migrate.backfilling.rows import Change


class Migrator(Alterations):
    """peewee_migrate's verbs. The state of the tables is replayed when a migration first asks for it, not before."""

    def __init__(self, database: pw.Database, replayed: Callable[[], list[type[pw.Model]]] | None = None) -> None:
        self._replayed = replayed
        super().__init__(database)
        if isinstance(database, pw.SqliteDatabase):
            self.__migrator__ = SafeSqliteMigrator(database)

    @property
    def orm(self) -> ORM:
        if self._replayed is not None:
            replayed, self._replayed = self._replayed, None
            made_since = list(self._orm)
            for model in [*replayed(), *made_since]:
                model._meta.set_database(self.__database__)
                self._orm.add(model)
        return self._orm

    @orm.setter
    def orm(self, orm: ORM) -> None:
        self._orm = orm

    def begin(self, collected: Steps) -> None:
        """What is asked for from now on goes there."""
        self.__ops__ = collected

    def create_model(self, model: Any) -> Any:
        """As the original, without asking for the state; and a table that is already there is an error, since a
        migration that made nothing must not be recorded. What the migration does to the model afterwards, such as
        renaming its table, is a step of its own and must not change this one."""
        self._orm.add(model)
        model._meta.set_database(self.__database__)
        schema, database = model._schema, self.__database__
        options = {"temporary": True} if model._meta.temporary else {}
        made = [schema._create_table(safe=False, **options), *schema._create_indexes(safe=False)]
        queries = [one.query() for one in made]

        def create() -> None:
            schema.create_sequences()
            for sql, parameters in queries:
                database.execute_sql(sql, parameters)

        self.__ops__.append(create)
        return model

    def sql(self, sql: str, *params: Any) -> None:
        """Run SQL as it stands: several statements are welcome, and a literal % where there are no parameters."""
        add_sql(self.__ops__, self.__database__, sql, params, is_sqlite=self._is_sqlite)
        for statement in statements.split(sql, is_sqlite=self._is_sqlite):
            if name := indexes.dropped_by(statement.sql):
                self._forget_index(name)

    def _forget_index(self, name: str) -> None:
        """So that no draft drops it once more. A state that is not replayed yet has nothing to forget."""
        for model in self._orm:
            meta: Any = model._meta
            meta.indexes = [
                one for one in meta.indexes if not indexes.is_meant(model, one, [], name, is_sqlite=self._is_sqlite)
            ]

    def add_fields(
        self, model: str | type[pw.Model], *, allow_not_null: bool = False, **fields: pw.Field
    ) -> type[pw.Model]:
        """As the original, but NOT NULL with a constant default is one ADD COLUMN that keeps its server default: no
        table is rewritten, and the previous release can still insert."""
        for name, field in fields.items():
            is_instant = not field.null and _keeps_server_default(field)
            super().add_fields(model, allow_not_null=allow_not_null or is_instant, **{name: field})
        return self.__get_model__(model)

    def add_default(self, model: str | type[pw.Model], name: str, default: Any) -> type[pw.Model]:
        """Set the default that new rows get; the original overwrites every row that is there."""
        model = self.__get_model__(model)
        field = model._meta.fields[name]
        field.default = model._meta.defaults[field] = default
        literal = _literal(default)
        if literal is None:
            raise ValueError(f"the default of {name} is no constant that a database can keep: {type(default).__name__}")
        others = [one for one in field.constraints or () if not _is_default(one)]
        field.constraints = [*others, pw.SQL(f"DEFAULT {literal}")]
        operations: Any = self.__migrator__
        if self._is_sqlite:
            self.__ops__.append(operations.set_default(model._meta.table_name, field.column_name, literal))
        else:
            self.sql(f'ALTER TABLE "{model._meta.table_name}" ALTER COLUMN "{field.column_name}" SET DEFAULT {literal}')
        return model

    def change_primary_key(self, model: str | type[pw.Model], *names: str, **numbered: pw.Field) -> Any:
        """Make these fields the primary key, or none; or a new one that numbers the rows, as `id=pw.AutoField()`.
        Foreign keys that refer to the old key are in the way."""
        found: Any = self.__get_model__(model)
        table, definition = found._meta.table_name, ""
        for name, field in numbered.items():
            found._meta.add_field(name, field)
            names, definition = (name,), keys.definition(field, is_sqlite=self._is_sqlite)
        columns = [found._meta.combined[name].column_name for name in names]
        keys.note(found, names)

        def change() -> None:
            if self._is_sqlite:
                rebuild(self.__database__, table, keys.redefined(columns, definition))
                return
            for statement in keys.statements(table, columns, definition, self._names):
                self._run(statement)

        self.__ops__.append(change)
        return found

    def change_settings(self, model: str | type[pw.Model], **settings: Any) -> Any:
        """Turn `strict_tables` or `without_rowid` on or off, which are SQLite's own; others are noted and not made."""
        found: Any = self.__get_model__(model)
        for name, value in settings.items():
            setattr(found._meta, name, value)
        words = [word for name, word in keys.SETTINGS.items() if getattr(found._meta, name)]
        if self._is_sqlite and settings.keys() & keys.SETTINGS.keys():
            table, edit = found._meta.table_name, keys.with_settings(words)
            self.__ops__.append(lambda: rebuild(self.__database__, table, edit))
        return found

    def backfill(
        self,
        model: str | type[pw.Model],
        change: Change,
        *,
        where: Any = None,
        batch: int = 1000,
        pause: float = 0.0,
        max_errors: int | None = 0,
    ) -> Backfill:
        """Change the rows of a large table in batches, each with a transaction of its own; needs `atomic = False`.

        `change` is a dict of fields and SQL expressions (one UPDATE a batch: the fast way), or a function that gets
        each row and returns a dict of new values, or None. `where` limits the rows; `pause` is in seconds, between
        batches; of the rows that raise, up to `max_errors` are left as they are and reported (None: any number).
        What it returns has the `tally`, for the steps after it."""
        step = Backfill(self.__database__, self.__get_model__(model), change, where, batch, pause, max_errors)
        self.__ops__.append(step)
        self.__ops__[-1] = self.__ops__[-1]._replace(backfill=step)
        return step

    def __del_field__(self, model: type[pw.Model], field: pw.Field) -> None:
        """As the original, for foreign keys without a back reference too."""
        if isinstance(field, pw.ForeignKeyField) and not hasattr(field.rel_model, field.backref):
            setattr(field.rel_model, field.backref, None)
        super().__del_field__(model, field)


def _keeps_server_default(field: pw.Field) -> bool:
    """Whether the column has a DEFAULT in the database; gives it one where the field's default is a constant."""
    constraints = field.constraints or []
    if any(map(_is_default, constraints)):
        return True
    literal = None if isinstance(field, pw.ForeignKeyField) else _literal(field.default)
    if literal is None:
        return False
    field.constraints = [*constraints, pw.SQL(f"DEFAULT {literal}")]
    return True


def _is_default(constraint: Any) -> bool:
    return str(getattr(constraint, "sql", "")).upper().startswith("DEFAULT ")


def _literal(value: Any) -> str | None:
    """A constant as SQL; None where it is not one."""
    if isinstance(value, str):
        return "'{}'".format(value.replace("'", "''"))
    return str(value).upper() if isinstance(value, bool | int | float) else None
