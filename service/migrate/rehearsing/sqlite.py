"""What a statement would do on SQLite, from the program that SQLite makes of it (manual, "EXPLAIN"): nothing runs."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence, Set
from typing import Any

from service.migrate.connection import Connection
from service.migrate.rehearsing.touch import Observed, Size, Touch

_EXPLAINED = re.compile(r"\s*(CREATE|ALTER|INSERT|REPLACE|UPDATE|DELETE|WITH|REINDEX)\b", re.IGNORECASE)
_PAGES = "SELECT rootpage, tbl_name FROM sqlite_master WHERE rootpage > 0"


def observe(connection: Connection, live: Mapping[str, Size], rebuilt: Set[str], sql: str) -> Observed:
    """`live` are the tables that are in use, `rebuilt` those that a verb makes anew."""
    if not live or not _EXPLAINED.match(sql):
        return Observed(sql)
    pages = dict(connection.execute(_PAGES).fetchall())
    try:
        program = connection.execute(f"EXPLAIN {sql.replace('?', 'NULL')}").fetchall()
    except sqlite3.Error as error:
        return Observed(sql, untried=str(error))
    read, written = _gone_through(program)
    anew = {pages.get(page) for page in written} if re.match(r"\s*ALTER\b", sql, re.IGNORECASE) else set()
    names = {pages.get(page) for page in read}
    if re.match(r"\s*INSERT\b", sql, re.IGNORECASE):
        anew |= names & rebuilt
    touches = [Touch(name, "", name in anew, True, *live[name]) for name in sorted(filter(None, names)) if name in live]
    return Observed(sql, tuple(touches))


def _gone_through(program: Sequence[tuple[Any, ...]]) -> tuple[set[int], set[int]]:
    """The root pages of what is read from its first row to its last, and of those that are written to meanwhile. A jump
    to the first row alone may only ask whether there is one."""
    opened: dict[int, tuple[int, bool]] = {}
    begun, gone_on = set(), set()
    for _, code, cursor, page, *_rest in program:
        if code in ("OpenRead", "OpenWrite"):
            opened[cursor] = (page, code == "OpenWrite")
        elif code in ("Rewind", "Last"):
            begun.add(cursor)
        elif code in ("Next", "Prev"):
            gone_on.add(cursor)
    found = [opened[cursor] for cursor in begun & gone_on if cursor in opened]
    return {page for page, _ in found}, {page for page, is_written in found if is_written}
