"""All that a database holds, in a form in which two runs of the same migrations can be compared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.migrate.connection import Connection, connect
from service.migrate.proving import schema
from service.migrate.proving.snapshot import Snapshot, diff
from service.migrate.tables import HISTORY, JOURNAL
from service.url import DatabaseUrl

# The rows that the tests write are older; what is younger was written by a migration's own clock.
CLOCK = datetime(2026, 1, 1)
_KEY = re.compile(r"\((\w+)\) REFERENCES \"?(\w+)\"?\(\w+\)")
# Of one column; or of more, where the key by itself was one.
_PRIMARY = re.compile(r"(?:PRIMARY KEY \()?(id|\w+(?!, ))(?:, .+)?\)?")

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Picture:
    schema: Snapshot
    data: dict[str, list[str]]
    applied: list[str]
    running: int

    def differs(self, found: Picture) -> str:
        """What is not as here; empty where all is the same."""
        lines = diff(expected=self.schema, found=found.schema)
        for table in sorted(self.data.keys() & found.data.keys()):
            if self.data[table] != found.data[table]:
                lines.append(f"{table} holds {found.data[table]}, expected {self.data[table]}")
        if (self.applied, self.running) != (found.applied, found.running):
            lines.append(f"applied {found.applied} with {found.running} running, expected {self.applied}")
        return "; ".join(lines)


def take(url: DatabaseUrl) -> Picture:
    connection = connect(url)
    try:
        snapshot = schema.take(connection)
        tables = {name: _read(connection, f'SELECT * FROM "{name}"') for name in snapshot.tables}
        applied = [row["name"] for row in _read(connection, f"SELECT name FROM {HISTORY} ORDER BY name")]
        (running,) = connection.execute(f"SELECT count(*) FROM {JOURNAL} WHERE state = 'running'").fetchone()
    finally:
        connection.close()
    return Picture(snapshot, _without_accidents(snapshot, tables), applied, running)


def _read(connection: Connection, sql: str) -> Rows:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _without_accidents(snapshot: Snapshot, tables: dict[str, Rows]) -> dict[str, list[str]]:
    """The rows as text. A sequence does not go back with its transaction, so that keys count only by their order."""
    ranks: dict[str, dict[Any, int]] = {}
    for name, rows in tables.items():
        if match := _PRIMARY.fullmatch(snapshot.tables[name].primary_key):
            keys = sorted(row[match[1]] for row in rows)
            ranks[name] = {key: number for number, key in enumerate(keys, start=1)}
            _replace(rows, match[1], ranks[name])
    for name, rows in tables.items():
        for text in snapshot.tables[name].foreign_keys:
            if match := _KEY.search(text):
                _replace(rows, match[1], ranks.get(match[2], {}))
    return {name: sorted(map(_text, rows)) for name, rows in tables.items()}


def _replace(rows: Rows, column: str, ranks: dict[Any, int]) -> None:
    for row in rows:
        if row[column] is not None:
            row[column] = ranks.get(row[column], row[column])


def _text(row: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_plain(value)!r}" for name, value in sorted(row.items()))


def _plain(value: Any) -> Any:
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d \d\d:", value):
        value = datetime.fromisoformat(value)
    return "by the clock" if isinstance(value, datetime) and value > CLOCK else value
