"""What a migration has lost without a word, decided from plain values: one row a situation."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from service.migrate.applying.conserve import Inventory, Thing, losses

COLUMNS = frozenset({"id", "a", "b"})
INDEX = Thing("index", "bots_a_b", "bots", frozenset({"a", "b"}))
KEY = Thing("foreign key", "(bot) to bots", "talks", frozenset({"bot"}), "bots")
TRIGGER = Thing("trigger", "keep", "bots")
CHECK = Thing("check", "positive", "bots", frozenset({"a"}))
FUNCTION = Thing("function", "tidy(integer)")


def inventory(
    *things: Thing,
    bots: frozenset[str] | None = COLUMNS,
    rows: Mapping[str, int] | None = None,
    file: int = 1,
) -> Inventory:
    """Of a database with the tables `bots` and `talks`; with bots=None without the first."""
    tables = {"talks": frozenset({"id", "bot"})} | ({"bots": bots} if bots is not None else {})
    return Inventory(tables, frozenset(things), dict(rows or {}), {"bots": file} if bots is not None else {})


def less(*gone: str) -> frozenset[str]:
    return COLUMNS - set(gone)


@pytest.mark.parametrize(
    ("before", "after", "spoken", "lost"),
    [
        (inventory(INDEX), inventory(INDEX), "", []),
        (inventory(), inventory(bots=None), "", ["table bots"]),
        (inventory(), inventory(bots=None), "bots", []),
        (inventory(), inventory(bots=less("a")), "", ["column a of bots"]),
        (inventory(), inventory(bots=less("a")), "a", []),
        (inventory(), inventory(bots=less("a")), "bots", []),
        (inventory(rows={"bots": 3}), inventory(rows={"bots": 1}), "", ["2 rows of bots"]),
        (inventory(rows={"bots": 3}), inventory(rows={"bots": 2}), "talks", ["1 row of bots"]),
        (inventory(rows={"bots": 3}), inventory(rows={"bots": 1}), "bots", []),
        (inventory(rows={"bots": 3}), inventory(rows={"bots": 4}), "", []),
        (inventory(), inventory(file=2), "", ["the rows of bots, which was truncated or rewritten"]),
        (inventory(), inventory(file=2), "bots", []),
        (inventory(), inventory(rows={"audit.log": -2}), "", ["2 rows of audit.log"]),
        (inventory(), inventory(rows={"audit.log": -2}), "log", []),
        (inventory(INDEX), inventory(), "bots", ["index bots_a_b of bots"]),
        (inventory(INDEX), inventory(), "bots_a_b", []),
        (inventory(INDEX), inventory(bots=less("a")), "a", []),
        (inventory(INDEX), inventory(bots=less("a")), "bots", ["index bots_a_b of bots"]),
        (inventory(INDEX), inventory(bots=less("a", "b")), "a bots", ["index bots_a_b of bots"]),
        (inventory(INDEX), inventory(bots=None), "bots", []),
        (inventory(INDEX), inventory(bots=None), "", ["index bots_a_b of bots", "table bots"]),
        (inventory(KEY), inventory(bots=None), "bots", []),
        (inventory(KEY), inventory(), "bots", ["foreign key (bot) to bots of talks"]),
        (inventory(TRIGGER), inventory(), "bots", ["trigger keep of bots"]),
        (inventory(FUNCTION), inventory(), "", ["function tidy(integer)"]),
        (inventory(FUNCTION), inventory(), "tidy", []),
    ],
)
def test_what_is_gone_and_was_not_spoken_of_is_lost(
    before: Inventory, after: Inventory, spoken: str, lost: list[str]
) -> None:
    assert losses(before, after, set(spoken.split())) == lost


@pytest.mark.parametrize(
    ("thing", "lost"),
    [(CHECK, []), (KEY._replace(table="bots"), []), (TRIGGER, ["trigger keep of bots"])],
)
def test_of_a_table_made_anew_a_constraint_goes_only_when_it_was_asked_to(thing: Thing, lost: list[str]) -> None:
    assert losses(inventory(thing), inventory(), {"bots"}, {"bots"}) == lost
    assert losses(inventory(thing), inventory(), {"bots"}, {"talks"}) == [str(thing)]
