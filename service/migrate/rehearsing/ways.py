"""Ways to do the same that hold nobody up, on PostgreSQL. Each is told only of what was seen to take long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from service.migrate.rehearsing.touch import Observed


class _Way(NamedTuple):
    """What a statement says that there is a better way for, and whether it has to rewrite the table for that."""

    said: str
    rewrites: bool
    better: str


_WAYS = (
    _Way(
        r"\s*CREATE\s+(UNIQUE\s+)?INDEX\b",
        False,
        "`CREATE INDEX CONCURRENTLY` lets others write: `add_index(…, concurrently=True)`, with `atomic = False`.",
    ),
    _Way(
        r".*\bADD\s+(CONSTRAINT\s+\S+\s+)?(UNIQUE|PRIMARY\s+KEY)\b",
        False,
        "Others write while `CREATE UNIQUE INDEX CONCURRENTLY` builds it; `ADD … USING INDEX` takes it over at once.",
    ),
    _Way(
        r".*\bADD\s+(CONSTRAINT\s+\S+\s+)?(CHECK|FOREIGN\s+KEY)\b",
        False,
        "Add it with NOT VALID, and in the next migration `VALIDATE CONSTRAINT`, which reads while others write.",
    ),
    _Way(
        r".*\bSET\s+NOT\s+NULL\b",
        False,
        "It reads nothing where a CHECK (… IS NOT NULL) says so already, added NOT VALID and validated before.",
    ),
    _Way(
        r".*\bALTER\s+(COLUMN\s+)?\S+\s+(SET\s+DATA\s+)?TYPE\b",
        True,
        "A new column of that type, filled by `migrator.backfill`, rewrites nothing; a later release drops the old.",
    ),
    _Way(
        r".*\bADD\s+(COLUMN\s+)?(?!.*\bGENERATED\b).*\bDEFAULT\b",
        True,
        "Without the default, and NOT NULL, it rewrites nothing: set them once `migrator.backfill` has filled it.",
    ),
    _Way(
        r"\s*UPDATE\b",
        False,
        "`migrator.backfill` changes the rows in batches, each committed on its own, with `atomic = False`.",
    ),
)


def better(each: Observed) -> Iterator[str]:
    """One sentence, where there is one for this case."""
    rewrites = any(touch.takes_long and touch.rewrites for touch in each.touches)
    for way in _WAYS:
        if way.rewrites == rewrites and re.match(way.said, each.sql, re.IGNORECASE | re.DOTALL):
            yield way.better
            return
