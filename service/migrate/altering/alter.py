"""peewee_migrate's verbs where theirs are wrong or missing: each does the whole change on both engines, and keeps the
replayed models true to what it did, so that the next draft begins where this one ended."""

from __future__ import annotations

import copy
import functools
from typing import Any

import peewee as pw
from peewee_migrate.migrator import Migrator as PeeweeMigrator
from playhouse.migrate import make_index_name

from service.migrate.altering import constraints, indexes, redefinition, shape
from service.migrate.altering.shape import Column
from service.migrate.altering.sqlite import rebuild


class Alterations(PeeweeMigrator):
    """peewee_migrate's Migrator with these verbs."""

    __ops__: Any
    __database__: Any
    __migrator__: Any

    def add_fields(self, model: str | type[pw.Model], *, allow_not_null: bool = False, **fields: Any) -> Any:
        """As the original; and what the migration does to a field afterwards, such as add_not_null, is a step of its
        own that does not change this one."""
        found: Any = self.__get_model__(model)
        table = found._meta.table_name
        for name, field in fields.items():
            found._meta.add_field(name, field)
            now, column = copy.copy(field), field.column_name
            self.__ops__.append(self.__migrator__.add_column(table, column, now, allow_not_null=allow_not_null))
            if field.null and field.default is not None:
                self.__ops__.append(self.__migrator__.apply_default(table, column, now))
        return found

    def change_fields(self, model: str | type[pw.Model], **fields: Any) -> Any:
        """Make each column what its new field says: type, NULL, default, checks, foreign key and its actions, index."""
        found: Any = self.__get_model__(model)
        for name, field in fields.items():
            old = shape.column_of(found._meta.combined[name], is_sqlite=self._is_sqlite)
            field._sort_key = old.field._sort_key
            field._order = old.field._order
            self.__del_field__(found, old.field)
            found._meta.add_field(name, field)
            if old.field.primary_key:
                found._meta.primary_key = field
            new = shape.column_of(field, is_sqlite=self._is_sqlite)
            self._change_column(found, old, new)
            self._change_own_index(found, old, new)
        return found

    def change_constraints(self, model: str | type[pw.Model], *wanted: Any) -> Any:
        """Make these the constraints of the table, as Meta.constraints would."""
        found: Any = self.__get_model__(model)
        old = {shape.sql_of(one, is_sqlite=self._is_sqlite) for one in found._meta.constraints or ()}
        new = {shape.sql_of(one, is_sqlite=self._is_sqlite) for one in wanted}
        found._meta.constraints = list(wanted)
        table = found._meta.table_name
        for text in sorted(old - new):
            self.__ops__.append(functools.partial(constraints.drop, self.__database__, table, text))
        for text in sorted(new - old):
            self.__ops__.append(functools.partial(constraints.add, self.__database__, table, text))
        return found

    def add_constraint(self, model: str | type[pw.Model], name: str, constraint: Any) -> Any:
        found: Any = self.__get_model__(model)
        sql = shape.sql_of(constraint, is_sqlite=self._is_sqlite)
        found._meta.constraints = [*(found._meta.constraints or ()), pw.SQL(f'CONSTRAINT "{name}" {sql}')]
        return super().add_constraint(found, name, constraint)

    def drop_constraints(self, model: str | type[pw.Model], *names: str) -> Any:
        found: Any = self.__get_model__(model)
        found._meta.constraints = [
            one
            for one in found._meta.constraints or ()
            if constraints.name_of(shape.sql_of(one, is_sqlite=self._is_sqlite)) not in names
        ]
        return super().drop_constraints(found, *names)

    def add_index(  # type: ignore[override]  # parts may be expressions too
        self,
        model: str | type[pw.Model],
        *parts: Any,
        unique: bool = False,
        name: str | None = None,
        where: Any = None,
        using: str | None = None,
        nulls_distinct: bool | None = None,
        concurrently: bool = False,
    ) -> Any:
        """Over fields by name, or expressions as pw.SQL; one that begins with CREATE is the whole statement."""
        found: Any = self.__get_model__(model)
        meta = found._meta
        if indexes.is_statement(parts):
            meta.indexes.append(parts[0])
            self.sql(parts[0].sql)
            return found
        fields = [meta.combined[part] if isinstance(part, str) else part for part in parts]
        if name is None:
            name = make_index_name(meta.table_name, [field.column_name for field in fields])
        if len(fields) == 1 and isinstance(fields[0], pw.Field) and where is None and using is None:
            fields[0].unique, fields[0].index = unique, not unique
        index = pw.ModelIndex(found, fields, unique, False, where, using, name, nulls_distinct)
        meta.indexes.append(index)
        sql = shape.sql_of(index, is_sqlite=self._is_sqlite)
        self.sql(sql.replace("INDEX", "INDEX CONCURRENTLY", 1) if concurrently and not self._is_sqlite else sql)
        return found

    def drop_index(self, model: str | type[pw.Model], *columns: str, name: str | None = None) -> Any:
        """The plain index over these fields, whatever its name is; or the index of this name."""
        found: Any = self.__get_model__(model)
        meta = found._meta
        names = [meta.combined[column].column_name for column in columns]
        meta.indexes = [
            one for one in meta.indexes if not indexes.is_meant(found, one, names, name, is_sqlite=self._is_sqlite)
        ]
        if len(names) == 1:
            meta.columns[names[0]].unique = meta.columns[names[0]].index = False
        self.__ops__.append(functools.partial(indexes.drop, self.__database__, meta.table_name, names, name))
        return found

    def rename_field(
        self, model: str | type[pw.Model], old_name: str, new_name: str, *, column_name: str | None = None
    ) -> Any:
        """The column gets the name that the new field name makes, or `column_name`."""
        found: Any = self.__get_model__(model)
        field = found._meta.combined[old_name]
        before, is_key = field.column_name, found._meta.primary_key is field
        self.__del_field__(found, field)
        field.column_name, field.object_id_name = column_name, None
        found._meta.add_field(new_name, field)
        if is_key:
            found._meta.primary_key = field
        found._meta.indexes = [indexes.renamed(one, old_name, new_name) for one in found._meta.indexes]
        if field.column_name != before:
            self.__ops__.append(self.__migrator__.rename_column(found._meta.table_name, before, field.column_name))
        return found

    def rename_table(self, model: str | type[pw.Model], new_name: str) -> Any:
        found: Any = self.__get_model__(model)
        orm, old_name = self.orm, found._meta.table_name
        orm.remove(found)
        found._meta.set_table_name(new_name)
        orm.add(found)
        self.__ops__.append(self.__migrator__.rename_table(old_name, new_name))
        return found

    def remove_fields(self, model: str | type[pw.Model], *names: str, cascade: bool = True, **_options: Any) -> Any:
        """The indexes over a column go with it, on both engines."""
        found: Any = self.__get_model__(model)
        for name in names:
            field = found._meta.combined[name]
            found._meta.indexes = [one for one in found._meta.indexes if not indexes.is_over(one, field)]
            self.__del_field__(found, field)
            drop = self.__migrator__.drop_column(found._meta.table_name, field.column_name, cascade=cascade)
            self.__ops__.append(drop)
        return found

    @property
    def _is_sqlite(self) -> bool:
        return isinstance(self.__database__, pw.SqliteDatabase)

    def _run(self, sql: str) -> None:
        self.__database__.execute_sql(sql, None)

    def _names(self, sql: str, *parameters: Any) -> list[Any]:
        return list(self.__database__.execute_sql(sql, parameters).fetchall())

    def _change_column(self, model: Any, old: Column, new: Column) -> None:
        table = model._meta.table_name
        if old.column != new.column:
            self.__ops__.append(self.__migrator__.rename_column(table, old.column, new.column))
        if new.field.constraints is None:  # nothing is said of them, so that they stay
            new.field.constraints = old.field.constraints
            new = shape.column_of(new.field, is_sqlite=self._is_sqlite)
        if self._is_sqlite:
            if redefinition.is_needed(old, new):
                self.__ops__.append(lambda: rebuild(self.__database__, table, redefinition.edit(old, new)))
            return
        if old.reference != new.reference and old.reference:
            self.__ops__.append(lambda: constraints.drop_foreign_key(self.__database__, table, new.column))
        for text in old.checks if old.checks != new.checks else ():
            self.__ops__.append(functools.partial(constraints.drop, self.__database__, table, text))
        if redefinition.is_numbered(old) and not redefinition.is_numbered(new):
            self.__ops__.append(lambda: self._stop_numbering(table, new.column))
        for sql in redefinition.statements(table, old, new):
            self.sql(sql)
        if redefinition.is_numbered(new) and old.kinds != new.kinds:
            self.__ops__.append(lambda: self._number(table, new))

    def _change_own_index(self, model: Any, old: Column, new: Column) -> None:
        """A field that does not speak of its index keeps it; one that is no longer unique loses that."""
        table, field = model._meta.table_name, new.field
        was_unique, was_indexed = old.field.unique, old.field.index or old.field.unique
        if was_indexed and not was_unique and not field.unique:
            field.index = True
        elif was_unique != field.unique or (field.index and not was_indexed):
            if was_indexed:
                self.__ops__.append(lambda: indexes.drop(self.__database__, table, [new.column], None))
            if field.index or field.unique:
                name = make_index_name(table, [new.column])
                index = pw.ModelIndex(model, [field], field.unique, False, None, None, name)
                self.sql(shape.sql_of(index, is_sqlite=self._is_sqlite))

    def _sequence(self, table: str, column: str) -> str:
        return str(self._names("SELECT pg_get_serial_sequence(%s, %s)", f'"{table}"', column)[0][0] or "")

    def _number(self, table: str, column: Column) -> None:
        """The sequence of the column gets its type; a column that has none gets one, which goes on after its rows."""
        if name := self._sequence(table, column.column):
            self._run(f"ALTER SEQUENCE {name} AS {redefinition.type_of(column)}")
            return
        for statement in redefinition.numbering(table, column):
            self._run(statement)

    def _stop_numbering(self, table: str, column: str) -> None:
        name = self._sequence(table, column)
        self._run(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" DROP DEFAULT')
        self._run(f"DROP SEQUENCE {name}")
