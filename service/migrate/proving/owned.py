"""What a catalog lists and nobody made for its own sake, in SQL: it comes and goes with what it belongs to."""

from __future__ import annotations

# What a virtual table, such as one for full-text search, keeps its content in is its own affair.
SHADOWS_ON_SQLITE = "SELECT name FROM pragma_table_list WHERE type = 'shadow'"
# The first number that PostgreSQL gives to what users make ("System Catalog Initial Data"); an index leads there.
FIRST_OF_USERS = 16384


def owned(catalog: str, alias: str, *, by: str = "'e', 'i', 'a'") -> str:
    """The condition on PostgreSQL: it belongs to an extension (e), or is a part of something: the constructor of a type
    (i), the sequence of a column (a)."""
    return (
        f"EXISTS (SELECT FROM pg_depend d WHERE d.classid = '{catalog}'::regclass"
        f" AND d.objid = {alias}.oid AND d.deptype IN ({by}))"
    )
