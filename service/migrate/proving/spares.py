"""Values that an enum is given later, in a shadow. PostgreSQL lets nobody use one before it is committed, and a shadow
never commits; but a value that is only renamed is as old as its type. So a type is made there with some to spare."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

# What no snapshot shows, and no migration would call a value.
SPARE = "slipway spare"
_BETWEEN, _AT_THE_END = 3, 32
_TEXT = r"'(?:[^']|'')*'"
_MADE = re.compile(rf"(\bCREATE\s+TYPE\s+\S+\s+AS\s+ENUM\s*\()\s*({_TEXT}(?:\s*,\s*{_TEXT})*)?\s*\)", re.IGNORECASE)
_ADDED = re.compile(
    rf"\s*ALTER\s+TYPE\s+(?P<type>\S+)\s+ADD\s+VALUE\s+(?P<unless>IF\s+NOT\s+EXISTS\s+)?(?P<value>{_TEXT})"
    rf"(?:\s+(?P<side>BEFORE|AFTER)\s+(?P<other>{_TEXT}))?\s*",
    re.IGNORECASE,
)
# Between two values the one in the middle, which leaves room on both sides; at the end in order. Without one, the value
# is added as the migration says it.
_RENAMED = """
DO $spare$ DECLARE taken text; BEGIN
    WITH labels AS (
        SELECT enumlabel AS label, enumsortorder AS place, enumlabel LIKE '{spare} %' AS is_spare FROM pg_enum
        WHERE enumtypid = '{type}'::regtype
    ), gap AS (
        SELECT * FROM labels AS s WHERE is_spare AND {where} AND NOT EXISTS (SELECT FROM labels WHERE label = {value})
    )
    SELECT label INTO taken FROM gap
    WHERE place = (SELECT percentile_disc({share}) WITHIN GROUP (ORDER BY place) FROM gap);
    IF taken IS NULL THEN {sql}; ELSE EXECUTE format('ALTER TYPE {type} RENAME VALUE %L TO %L', taken, {value}); END IF;
END $spare$
"""
_NONE = "NOT EXISTS (SELECT FROM labels AS r WHERE NOT r.is_spare AND {})"
_OTHER = "(SELECT place FROM labels WHERE label = {other})"
_WHERE = {
    None: _NONE.format("r.place > s.place"),
    "BEFORE": f"s.place < {_OTHER} AND {_NONE.format(f'r.place > s.place AND r.place < {_OTHER}')}",
    "AFTER": f"s.place > {_OTHER} AND {_NONE.format(f'r.place < s.place AND r.place > {_OTHER}')}",
}


def reword(sql: str) -> str:
    """Of a statement that makes an enum, or adds a value to one."""
    if match := _ADDED.fullmatch(sql):
        side = match["side"] and match["side"].upper()
        words = {"type": match["type"], "value": match["value"], "spare": SPARE, "sql": sql.strip()}
        where = _WHERE[side].format(other=match["other"])
        return _RENAMED.format(**words, where=where, share=0.5 if side else 0)
    return _MADE.sub(_with_spares, sql)


def _with_spares(match: re.Match[str]) -> str:
    """Before each value, and behind the last."""
    values, numbers = re.findall(_TEXT, match[2] or ""), itertools.count(1)
    between = [[*_spares(numbers, _BETWEEN), value] for value in values]
    return f"{match[1]}{', '.join([*itertools.chain(*between), *_spares(numbers, _AT_THE_END)])})"


def _spares(numbers: Iterator[int], count: int) -> list[str]:
    return [f"'{SPARE} {number}'" for number in itertools.islice(numbers, count)]
