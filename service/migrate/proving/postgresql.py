"""The schema of a PostgreSQL database, read from its catalog. What an extension has brought is the extension's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from service.migrate.connection import Connection
from service.migrate.proving.owned import FIRST_OF_USERS, owned
from service.migrate.proving.snapshot import Snapshot, TableSchema, joined, of_view
from service.migrate.proving.spares import SPARE

_HERE = "quote_ident(current_schema())::regnamespace"
_FOREIGN = owned("pg_class", "c", by="'e'")
_TABLES = f"c.relkind IN ('r', 'p') AND c.relnamespace = {_HERE}"
_COLUMNS = f"""
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), 'COLLATE ' || quote_ident(l.collname), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid), a.attgenerated::text, a.attidentity::text, c.relpersistence = 'u',
       c.relkind = 'p' OR c.relispartition OR c.relhassubclass
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_collation l ON l.oid = a.attcollation AND a.attcollation <> t.typcollation
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE {_TABLES} AND NOT {_FOREIGN}
"""
_CONSTRAINTS = f"""
SELECT c.relname, k.contype::text, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype IN ('p', 'f', 'c') AND {_TABLES}
"""
_INDEXES = f"""
SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indisvalid
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE NOT i.indisprimary AND c.relkind IN ('r', 'p', 'm') AND c.relnamespace = {_HERE}
"""
_NAME = r'(?:"(?:[^"]|"")+"|[^\s".]+)'
_INDEX = re.compile(rf"^CREATE (UNIQUE )?INDEX (?P<name>{_NAME}) ON (?:ONLY )?(?:{_NAME}\.)?{_NAME} ")
# A trigger that is switched off is there, and does nothing.
_ATTACHED = f"""
SELECT c.relname, 'trigger', pg_get_triggerdef(t.oid) || CASE t.tgenabled
    WHEN 'O' THEN '' WHEN 'D' THEN ' -- disabled' WHEN 'R' THEN ' -- on a replica only' ELSE ' -- also on a replica' END
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND c.relnamespace = {_HERE}
UNION ALL
SELECT c.relname, 'rule', pg_get_ruledef(r.oid) FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE r.rulename <> '_RETURN' AND c.relnamespace = {_HERE}
UNION ALL
SELECT c.relname, 'row security', CASE WHEN c.relforcerowsecurity THEN 'enabled and forced' ELSE 'enabled' END
FROM pg_class c WHERE c.relrowsecurity AND {_TABLES}
UNION ALL
SELECT tablename, 'policy', format('%I AS %s FOR %s TO %s', policyname, permissive, cmd, array_to_string(roles, ', '))
    || coalesce(' USING (' || qual || ')', '') || coalesce(' WITH CHECK (' || with_check || ')', '')
FROM pg_policies WHERE schemaname = current_schema()
"""
# Asked only where there are any.
_PARTS = f"""
SELECT c.relname, concat_ws(' ', CASE WHEN c.relispartition
        THEN concat('PARTITION OF ', i.inhparent::regclass, ' ', pg_get_expr(c.relpartbound, c.oid))
        ELSE 'INHERITS (' || i.inhparent::regclass || ')' END, 'PARTITION BY ' || pg_get_partkeydef(c.oid))
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE (c.relkind = 'p' OR i.inhrelid IS NOT NULL) AND {_TABLES}
"""
_VIEWS = f"""
SELECT 'view', c.relname, pg_get_viewdef(c.oid) FROM pg_class c
WHERE c.relkind IN ('v', 'm') AND c.relnamespace = {_HERE} AND NOT {_FOREIGN}
"""
_FUNCTIONS = f"""
SELECT CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END,
    p.proname || '(' || oidvectortypes(p.proargtypes) || ')',
    CASE p.prokind WHEN 'a' THEN '' ELSE pg_get_functiondef(p.oid) END
FROM pg_proc p
WHERE p.oid >= {FIRST_OF_USERS} AND p.pronamespace = {_HERE} AND NOT {owned("pg_proc", "p")}
"""
_TYPES = f"""
SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, t.typname, CASE t.typtype
    WHEN 'e' THEN (
        SELECT concat('ENUM (', string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder), ')')
        FROM pg_enum l WHERE l.enumtypid = t.oid AND l.enumlabel NOT LIKE '{SPARE} %')
    WHEN 'd' THEN concat_ws(' ', format_type(t.typbasetype, t.typtypmod), 'DEFAULT ' || t.typdefault,
        CASE WHEN t.typnotnull THEN 'NOT NULL' END, (
            SELECT string_agg(pg_get_constraintdef(k.oid), ' ' ORDER BY pg_get_constraintdef(k.oid))
            FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'))
    WHEN 'r' THEN (
        SELECT 'RANGE (SUBTYPE = ' || format_type(r.rngsubtype, NULL) || ')' FROM pg_range r WHERE r.rngtypid = t.oid)
    ELSE (
        SELECT '(' || string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', '
            ORDER BY a.attnum) || ')'
        FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
    END
FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.oid >= {FIRST_OF_USERS} AND t.typnamespace = {_HERE} AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c')
    AND NOT {owned("pg_type", "t")}
"""
_SEQUENCES = f"""
SELECT 'sequence', c.relname, concat(format_type(s.seqtypid, NULL), ' INCREMENT BY ', s.seqincrement,
    ' MINVALUE ', s.seqmin, ' MAXVALUE ', s.seqmax, ' START WITH ', s.seqstart, ' CACHE ', s.seqcache,
    CASE WHEN s.seqcycle THEN ' CYCLE' END)
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
WHERE c.relnamespace = {_HERE} AND NOT {owned("pg_class", "c")}
"""
_THINGS = "UNION ALL".join([_VIEWS, _FUNCTIONS, _TYPES, _SEQUENCES])
_IDENTITIES = {"": "", "a": "GENERATED ALWAYS AS IDENTITY", "d": "GENERATED BY DEFAULT AS IDENTITY"}
_LITERAL = r"E?'(?:[^']|'')*'(?:::[\w ]+)?"
_CAST_LIST = re.compile(rf"\(ARRAY\[({_LITERAL}(?:, {_LITERAL})*)\]\)::([\w ]+)\[\]")
_OWN_NEXT = "nextval(its sequence)"
_NEXT = re.compile(r"nextval\('(.*?)'::regclass\)")


def read(connection: Connection, called: Mapping[str, str]) -> Snapshot:
    """What the current schema has; of a schema that stands for another one, the texts name that."""
    (schema,) = connection.execute("SELECT quote_ident(current_schema())").fetchone()
    schema = called.get(schema, schema)

    def as_live(text: str) -> str:
        for here, there in called.items():
            text = text.replace(here, there)
        return text

    def local(text: str) -> str:
        return _as_restored(as_live(text).replace(f"{schema}.", ""))

    snapshot = Snapshot()
    for kind, name, text in connection.execute(_THINGS).fetchall():
        if kind == "view":
            snapshot.views[name] = local(text)
        else:  # what a function's own text says of a schema is a part of what it does
            is_code = kind in ("function", "procedure")
            snapshot.things[f"{kind} {local(name)}"] = as_live(text) if is_code else local(text)
    _read_tables(connection, snapshot, local)
    return snapshot


def _read_tables(connection: Connection, snapshot: Snapshot, local: Callable[[str], str]) -> None:
    tables = snapshot.tables

    def default(text: str | None) -> str:
        """The name of a sequence that belongs to its column says when the table was made, and nothing else."""
        return _NEXT.sub(
            lambda use: use[0] if f"sequence {use[1]}" in snapshot.things else _OWN_NEXT, local(text or "")
        )

    has_parts = False
    for table, column, kind, collation, is_required, value, generated, identity, *of_table in connection.execute(
        _COLUMNS
    ):
        text, schema_of = default(value), tables.setdefault(table, TableSchema())
        parts = [local(kind), collation, is_required and "NOT NULL", text and ("AS" if generated else "DEFAULT"), text]
        schema_of.columns[column] = joined([*parts, _IDENTITIES[identity]])
        is_unlogged, is_parted = of_table
        schema_of.persistence = "UNLOGGED" if is_unlogged else ""
        has_parts = has_parts or is_parted
    for table, kind, text in connection.execute(_CONSTRAINTS).fetchall():
        schema_of = tables.get(table, TableSchema())
        if kind == "p":
            schema_of.primary_key = text
        else:
            (schema_of.foreign_keys if kind == "f" else schema_of.checks).add(local(text))
    for table, text, is_valid in connection.execute(_INDEXES).fetchall():
        schema_of, match = tables.get(table, TableSchema()), _INDEX.match(text)
        shape = local(_INDEX.sub(r"\1", text)) + ("" if is_valid else " (INVALID)")
        schema_of.indexes.add(shape)
        if match:
            schema_of.index_names[shape] = match["name"]
        if table in snapshot.views:  # a materialised one
            snapshot.things[of_view(table, "index", shape)] = ""
    for table, kind, text in connection.execute(_ATTACHED).fetchall():
        _attach(tables.get(table, TableSchema()), kind, local(text))
        if table in snapshot.views:
            snapshot.things[of_view(table, kind, local(text))] = ""
    for table, text in connection.execute(_PARTS).fetchall() if has_parts else ():
        tables.get(table, TableSchema()).options = local(text)


def _attach(table: TableSchema, kind: str, text: str) -> None:
    match kind:
        case "trigger":
            table.triggers.add(text)
        case "rule":
            table.rules.add(text)
        case "policy":
            table.policies.add(text)
        case "row security":
            table.row_security = text


def _as_restored(text: str) -> str:
    """What a dump makes of `state IN ('a', 'b')`: there each value is cast, and not their list."""

    def each_cast(match: re.Match[str]) -> str:
        values = re.findall(_LITERAL, match[1])
        return f"ARRAY[{', '.join(f'({value})::{match[2]}' for value in values)}]"

    return _CAST_LIST.sub(each_cast, text)
