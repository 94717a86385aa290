"""Which row is next.

The statements are written by hand, since every worker asks them all the time, and so that what they cost depends
neither on how much waits nor on what PostgreSQL believes about it: when a queue is long, its statistics are from a
calmer hour.

A row may be taken if it is the first of its lane, where what is in hand comes before what is queued. That takes one
look into the index `…_lane`, however long the lane is."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from service.bot.lease import J, Lease, Queue
from service.database import connection, is_sqlite
from service.models.statement import Statement, loaded

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
  FROM head {last})
SELECT id FROM (SELECT id FROM head WHERE id IS NOT NULL LIMIT {size}) known
ORDER BY id LIMIT {size}"""
_IS_FREE = """
mine.id = candidate.id
AND (mine.state = 'queued' AND mine.available_at <= :now
     OR mine.state = 'leased' AND (mine.leased_until < :now OR mine.leased_by = :holder))
AND mine.id = (
  SELECT id FROM {table} WHERE state IN ('queued', 'leased') AND ({lane}) = ({my_lane}) ORDER BY state, id LIMIT 1)"""
# Neither form leaves the engine a choice: one row by its key; one candidate after the other, until one is free.
_LAST_SQLITE = "JOIN {table} last ON last.id = head.id"
_LAST_POSTGRESQL = "CROSS JOIN LATERAL (SELECT * FROM {table} WHERE id = head.id LIMIT 1) last"
_FREE_SQLITE = "SELECT mine.id FROM ({candidates}) candidate CROSS JOIN {table} mine WHERE {is_free} LIMIT 1"
_FREE_POSTGRESQL = """
SELECT free.id FROM ({candidates}) candidate
CROSS JOIN LATERAL (SELECT mine.id FROM {table} mine WHERE {is_free} FOR UPDATE SKIP LOCKED) free LIMIT 1"""
_LEASE = """
UPDATE {table}
SET state = 'leased', attempts = attempts + 1, leased_by = :holder, leased_until = :later, begun_at = :now
WHERE id = ({free}) RETURNING {told}, {others} AS has_others"""
# Whether a claim is worth its while: is there anything that nobody holds, and beside the row that is taken, anything?
_LOOSE = """
SELECT 1 FROM {table} WHERE state IN ('queued', 'leased') AND {is_wanted}
AND (state = 'queued' OR leased_until < :now OR leased_by = :holder) LIMIT 1"""
_OTHERS = """
EXISTS (SELECT 1 FROM {table} other WHERE state IN ('queued', 'leased') AND {is_wanted} AND other.id <> {table}.id)"""
# What waits is read in the order of an index, and never all of it to be sorted. The lanes' sort is of a few.
_SETTINGS = "SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off; SET LOCAL jit = off; "


class _Turn(NamedTuple):
    """Whose turn it is: `look` finds the row that `take` takes."""

    look: Statement
    take: Statement


def is_worthwhile(queue: Queue[Any], holder: str) -> bool:
    """Is there anything to claim at all? A cheap look, for whoever is woken together with all others."""
    with connection():
        return _loose(queue).row(holder=holder, channel=queue.channel) is not None


def claim(queue: Queue[J], holder: str, seconds: float) -> Lease[J] | None:
    """The first row that nobody holds and that is first in its lane, leased to `holder`; None if there is none.

    A holder works on one row at a time: what it still holds when it asks for more, it has dropped, and gets again."""
    values = {"holder": holder, "channel": queue.channel, "seconds": seconds}
    with connection() as database:
        has_one_writer = is_sqlite(database)
        row = _taken(_front(queue), values, has_one_writer)
        if row is None and _rest(queue).row(**values):
            row = _taken(_heads(queue), values, has_one_writer)
    return Lease(queue, loaded(queue.model, row), holder, seconds) if row else None


def _taken(turn: _Turn, values: dict[str, Any], has_one_writer: bool) -> dict[str, Any] | None:
    if has_one_writer and not turn.look.row(**values):
        return None  # looking takes no lock, so that idle workers keep out of everybody's way
    return turn.take.named(**values)


@lru_cache
def _loose(queue: Queue[Any]) -> Statement:
    return Statement(_filled(queue, _LOOSE))


@lru_cache
def _front(queue: Queue[Any]) -> _Turn:
    return _statements(queue, _FRONT, FRONT)


@lru_cache
def _heads(queue: Queue[Any]) -> _Turn:
    return _statements(queue, _HEADS, LANES)


@lru_cache
def _rest(queue: Queue[Any]) -> Statement:
    """Is there more than the front?"""
    return Statement(_filled(queue, f"{_FRONT} OFFSET {FRONT}", size=1))


def _statements(queue: Queue[Any], candidates: str, size: int) -> _Turn:
    def free(form: str, last: str) -> str:
        found = _filled(queue, candidates, size=size, last=_filled(queue, last))
        return _filled(queue, form, candidates=found, is_free=_filled(queue, _IS_FREE))

    look, locking = free(_FREE_SQLITE, _LAST_SQLITE), free(_FREE_POSTGRESQL, _LAST_POSTGRESQL)
    others = _filled(queue, _OTHERS)
    take, lock = (_filled(queue, _LEASE, free=found, others=others) for found in (look, locking))
    return _Turn(Statement(look), Statement(take, postgresql=_SETTINGS + lock))


def _filled(queue: Queue[Any], text: str, **parts: Any) -> str:
    columns = [getattr(queue.model, name).column_name for name in queue.lane]
    # Compared with a plain column, SQLite would look into the index by the first column alone.
    last = [f"coalesce(last.{column}, NULL)" for column in columns]
    return text.format(
        table=queue.model._meta.table_name,
        told=f"*, {queue.told}" if queue.told else "*",
        is_wanted="TRUE" if queue.channel is None else "channel = :channel",
        lane=", ".join(columns),
        my_lane=", ".join(f"mine.{column}" for column in columns),
        last_lane=", ".join(last),
        **parts,
    )
