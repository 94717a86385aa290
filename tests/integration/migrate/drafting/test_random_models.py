"""Whatever the models are, and whatever they were: a draft leads from one to the other, and back.

Each run tries other ones. DRAFT_EXAMPLES=60 tries more of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import peewee as pw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.migrate.drafting.renames import Wishes
from service.url import DatabaseUrl
from tests.support.drafts import Studio

EXAMPLES = int(os.environ.get("DRAFT_EXAMPLES", 15))
TABLES = ("alpha", "beta", "gamma")
NAMES = ("one", "two", "three", "order")
ACTIONS = (None, "CASCADE", "RESTRICT", "SET NULL")
DRAFTED = Wishes(none=True)


@dataclass(frozen=True)
class FieldSpec:
    """A field to be: its class, parameters, and the table that it refers to."""

    kind: type[pw.Field]
    parameters: tuple[tuple[str, Any], ...] = ()
    server_default: str = ""
    check: str = ""
    to: str = ""

    def make(self, name: str, models: dict[str, type[pw.Model]], table: str) -> pw.Field:
        texts = [f"DEFAULT {self.server_default}"] if self.server_default else []
        texts += [f'CHECK ("{name}" {self.check})'] if self.check else []
        parameters = dict(self.parameters) | {"constraints": [pw.SQL(text) for text in texts] or None}
        if not self.to:
            return self.kind(**parameters)
        if self.to == table:
            return pw.ForeignKeyField("self", backref="+", **parameters)
        if self.to in models:
            return pw.ForeignKeyField(models[self.to], backref="+", **parameters)
        return pw.DeferredForeignKey(self.to.capitalize(), backref="+", **parameters)


@dataclass(frozen=True)
class TableSpec:
    fields: tuple[tuple[str, FieldSpec], ...]
    together: tuple[tuple[tuple[str, ...], bool], ...]
    partial: str
    check: str
    key: tuple[str, ...] = ()


def flags() -> st.SearchStrategy[dict[str, bool]]:
    return st.sampled_from([{}, {}, {"null": True}, {"index": True}, {"unique": True}, {"null": True, "index": True}])


def kind_of(kind: type[pw.Field], flags: dict[str, Any], extra: dict[str, Any], server: str, check: str) -> FieldSpec:
    return FieldSpec(kind, tuple((flags | extra).items()), server, check)


def plain_fields() -> st.SearchStrategy[FieldSpec]:
    # No default is longer than the shortest column: no database would keep it.
    texts = st.sampled_from([{}, {"default": "calm"}, {"default": "a \"b\" 'c' % \\"}, {"default": "ü,(1)"}])
    char = st.tuples(st.sampled_from([{"max_length": 19}, {"max_length": 200}]), texts).map(lambda two: two[0] | two[1])
    number = st.sampled_from([{}, {"default": 0}, {"default": -7}])
    decimal = st.sampled_from([{}, {"max_digits": 12, "decimal_places": 2}])
    never = st.just("")
    return st.one_of(
        st.builds(kind_of, st.just(pw.CharField), flags(), char, st.sampled_from(["", "'x'"]), never),
        st.builds(kind_of, st.just(pw.TextField), st.sampled_from([{}, {"null": True}]), texts, never, never),
        st.builds(
            kind_of,
            st.sampled_from([pw.IntegerField, pw.BigIntegerField, pw.SmallIntegerField]),
            flags(),
            number,
            st.sampled_from(["", "5"]),
            st.sampled_from(["", "< 100", "<> 13"]),
        ),
        st.builds(kind_of, st.just(pw.BooleanField), flags(), st.sampled_from([{}, {"default": True}]), never, never),
        st.builds(kind_of, st.just(pw.DecimalField), flags(), decimal, st.sampled_from(["", "1.50"]), never),
        st.builds(kind_of, st.just(pw.DateTimeField), flags(), st.just({}), never, never),
        st.builds(
            kind_of,
            st.just(pw.JSONField),
            st.sampled_from([{}, {"null": True}]),
            st.sampled_from([{}, {"default": dict}, {"default": list}]),
            never,
            never,
        ),
    )


def references(tables: tuple[str, ...]) -> st.SearchStrategy[FieldSpec]:
    parameters = st.fixed_dictionaries(
        {"null": st.booleans(), "on_delete": st.sampled_from(ACTIONS), "on_update": st.sampled_from(ACTIONS[:2])}
    )
    return st.builds(
        lambda to, values: FieldSpec(pw.ForeignKeyField, tuple(values.items()), to=to),
        st.sampled_from(tables),
        parameters,
    )


@st.composite
def schemas(draw: Callable[..., Any]) -> dict[str, TableSpec]:
    tables = tuple(draw(st.lists(st.sampled_from(TABLES), min_size=1, unique=True)))
    found = {}
    for table in tables:
        names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
        fields = tuple((name, draw(plain_fields())) for name in names)
        if draw(st.booleans()):
            fields += (("parent", draw(references(tables))),)
        together = ((tuple(names[:2]), draw(st.booleans())),) if len(names) > 1 and draw(st.booleans()) else ()
        partial = names[0] if draw(st.booleans()) else ""
        found[table] = TableSpec(fields, together, partial, names[-1] if draw(st.booleans()) else "")
    referred = {field.to for spec in found.values() for _, field in spec.fields}
    for table, spec in found.items():
        full = [name for name, field in spec.fields if not (field.to or dict(field.parameters).get("null"))]
        if table not in referred and full and draw(st.booleans()):
            found[table] = replace(spec, key=tuple(draw(st.permutations(full)))[:2])
    return found


def models_of(schema: dict[str, TableSpec]) -> list[type[pw.Model]]:
    models: dict[str, type[pw.Model]] = {}
    for table, spec in schema.items():
        meta: dict[str, Any] = {"table_name": table, "indexes": spec.together}
        if spec.check:
            meta["constraints"] = [pw.Check(f'"{spec.check}" IS NOT NULL')]
        if spec.key:
            meta["primary_key"] = pw.CompositeKey(*spec.key)
        body: dict[str, Any] = {name: field.make(name, models, table) for name, field in spec.fields}
        model: Any = type(table.capitalize(), (pw.Model,), body | {"Meta": type("Meta", (), meta)})
        if spec.partial:
            field = getattr(model, spec.partial)
            model.add_index(field, name=f"{table}_partial", where=field.is_null(False))
        models[table] = model
    return list(models.values())


def check_both(url: DatabaseUrl, before: dict[str, TableSpec], after: dict[str, TableSpec]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(url, Path(folder))
        studio.perfect(*models_of(before), wishes=DRAFTED)
        models = models_of(after)
        if not studio.differences(*models):
            return
        written = studio.draft(*models, wishes=DRAFTED)
        assert written
        # Told and not drafted: a date that becomes a boolean.
        if not any("cannot cast" in note for note in written.notes):
            assert written.notes == (), written.path.read_text()
            assert studio.differences(*models) == [], written.path.read_text()


def thoroughly(examples: int) -> Callable[..., Any]:
    unhurried = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=unhurried,
        database=None,
    )


@given(before=schemas(), after=schemas())
@thoroughly(EXAMPLES)
def test_on_sqlite(sqlite_url: DatabaseUrl, before: dict[str, TableSpec], after: dict[str, TableSpec]) -> None:
    check_both(sqlite_url, before, after)


@given(before=schemas(), after=schemas())
@thoroughly(EXAMPLES // 3)
def test_on_postgresql(postgresql_url: DatabaseUrl, before: dict[str, TableSpec], after: dict[str, TableSpec]) -> None:
    check_both(postgresql_url, before, after)
