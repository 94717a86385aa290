"""Which row is next.

The statements are written by hand, since every worker asks them all the time, and so that what they cost depends
neither on how much waits nor on what PostgreSQL believes about it: when a queue is long, its statistics are from a
calmer hour.

A row may be taken if it is the first of its lane, where what is in hand comes before what is queued. That takes one
look into the index `…_lane`, however long the lane is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import peewee as pw

from service.bot.lease import J, Lease, Queue
from service.database import connection, is_sqlite, proxy
from service.models.base import shared_now

# So many rows are looked at, oldest first. If none can be taken, since a few lanes fill all that space and are in hand,
# so many lanes are looked at instead, by the oldest row of each.
FRONT, LANES = 100, 200

_FRONT = "SELECT id FROM {table} WHERE state IN ('queued', 'leased') AND {is_wanted} ORDER BY id LIMIT {size}"
# What is behind a whole lane comes after its last state; of "after this lane" SQLite would make "from this lane on".
_HEADS = """
WITH RECURSIVE head (id) AS (
  SELECT id FROM (
    SELECT id FROM {table} WHERE state IN ('queued', 'leased') AND {is_wanted} ORDER BY {lane}, state, id LIMIT 1) first
  UNION ALL
  SELECT (
    SELECT id FROM {table} WHERE state IN ('queued', 'leased') AND {is_wanted} AND ({lane}, state) > ({last_lane}, 'z')
    ORDER BY {lane}, state, id LIMIT 1)
  FROM head JOIN {table} last ON last.id = head.id)
SELECT id FROM (SELECT id FROM head WHERE id IS NOT NULL LIMIT {size}) known
ORDER BY id LIMIT {size}"""
_IS_FREE = """
mine.id = candidate.id
AND (mine.state = 'queued' AND mine.available_at <= :now
     OR mine.state = 'leased' AND (mine.leased_until < :now OR mine.leased_by = :holder))
AND mine.id = (
  SELECT id FROM {table} WHERE state IN ('queued', 'leased') AND ({lane}) = ({my_lane}) ORDER BY state, id LIMIT 1)"""
# Neither form leaves the engine a choice: one candidate after the other, until one is free.
_FREE_SQLITE = "SELECT mine.id FROM ({candidates}) candidate CROSS JOIN {table} mine WHERE {is_free} LIMIT 1"
_FREE_POSTGRESQL = """
SELECT free.id FROM ({candidates}) candidate
CROSS JOIN LATERAL (SELECT mine.id FROM {table} mine WHERE {is_free} FOR UPDATE SKIP LOCKED) free LIMIT 1"""
_LEASE = """
UPDATE {table}
SET state = 'leased', attempts = attempts + 1, leased_by = :holder, leased_until = :until, begun_at = :now
WHERE id = ({free}) RETURNING {told}"""
# What waits is read in the order of an index, and never all of it to be sorted. The lanes' sort is of a few.
_SETTINGS = "SET LOCAL enable_sort = off; SET LOCAL jit = off; "


def claim(queue: Queue[J], holder: str, seconds: float) -> Lease[J] | None:
    """The first row that nobody holds and that is first in its lane, leased to `holder`; None if there is none.

    A holder works on one row at a time: what it still holds when it asks for more, it has dropped, and gets again."""
    values = {"holder": holder, "channel": queue.channel, "now": shared_now(), "until": shared_now(seconds)}
    with connection():
        item = _lease(queue, values, _FRONT, FRONT)
        if item is None and _is_full(queue, values):
            item = _lease(queue, values, _HEADS, LANES)
    return Lease(queue, item, holder, seconds) if item else None


def _lease(queue: Queue[J], values: Mapping[str, Any], candidates: str, size: int) -> J | None:
    free = _free(queue, candidates, size, is_sqlite(proxy.obj))
    lease = _LEASE.format(table=_table(queue), free=free, told=f"*, {queue.told}" if queue.told else "*")
    if not is_sqlite(proxy.obj):
        lease = _SETTINGS + lease
    elif not _rows(queue, free, values):
        return None  # looking takes no lock, so that idle workers keep out of everybody's way
    rows = _rows(queue, lease, values)
    return rows[0] if rows else None


def _is_full(queue: Queue[J], values: Mapping[str, Any]) -> bool:
    """More waits than was looked at."""
    last = _filled(queue, f"{_FRONT} OFFSET {FRONT}", 1)
    return bool(_rows(queue, last, values))


@lru_cache
def _free(queue: Queue[Any], candidates: str, size: int, is_sqlite: bool) -> str:
    form = _FREE_SQLITE if is_sqlite else _FREE_POSTGRESQL
    return form.format(
        candidates=_filled(queue, candidates, size), table=_table(queue), is_free=_filled(queue, _IS_FREE, size)
    )


def _filled(queue: Queue[Any], text: str, size: int) -> str:
    columns = [getattr(queue.model, name).column_name for name in queue.lane]
    mine = [f"mine.{column}" for column in columns]
    # Compared with a plain column, SQLite would look into the index by the first column alone.
    last = [f"coalesce(last.{column}, NULL)" for column in columns]
    return text.format(
        table=_table(queue),
        size=size,
        is_wanted="TRUE" if queue.channel is None else "channel = :channel",
        **{name: ", ".join(each) for name, each in {"lane": columns, "my_lane": mine, "last_lane": last}.items()},
    )


def _table(queue: Queue[Any]) -> str:
    name: str = queue.model._meta.table_name
    return name


def _rows(queue: Queue[J], text: str, values: Mapping[str, Any]) -> list[J]:
    """Run the statement with its `:names` replaced by values, which may be SQL themselves."""
    parameters: list[Any] = []

    def place(match: re.Match[str]) -> str:
        value = values[match[1]]
        is_sql = isinstance(value, pw.SQL)
        parameters.extend(value.params if is_sql else [value])
        return str(value.sql if is_sql else proxy.obj.param)

    statement = re.sub(r":(\w+)", place, text)
    return list(queue.model.raw(statement, *parameters))
